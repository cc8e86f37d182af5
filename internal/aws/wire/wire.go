// Package wire is what every generated service package shares: the operation
// table, the in-process caller, the model's constraints, and one codec per AWS
// protocol. It is the only package that knows AWS's wire formats: JSON 1.0 and
// 1.1, REST JSON, and query with XML out, as the Smithy specification's AWS
// protocols describe them.
//
// A Codec reads any bytes without panicking, in time and memory bounded by
// their number: nesting, numbers, list entries and reported violations have
// limits. What it hands over satisfies the model's constraints. It does not
// bound bodies, check signatures or send anything, and REST XML, EC2 query,
// event streams and documents are refused when a service is compiled.
package wire

import (
	"context"
	"fmt"
	"strings"
)

// API describes a service to the router, the codecs, the authorizer and the
// auditor. It is generated and read-only.
type API struct {
	Name     string // package name: "kms"
	Version  string // "2014-11-01"
	Protocol string // "json", "rest-json", "query", "rest-xml", "ec2"
	// QueryCompatible services speak JSON and, with clients of before, query. Errors in
	// JSON then name their code of that protocol in a header.
	QueryCompatible bool
	// PathParameter is what the path may give to a query instead of a parameter: SQS's
	// oldest clients post to a queue's URL.
	PathParameter  string
	JSONVersion    string // "1.1"; empty for other protocols
	TargetPrefix   string // "TrentService"; empty for other protocols
	XMLNamespace   string
	SigningName    string // the service in credential scopes
	EndpointPrefix string // the host's first label at AWS: "kms" in kms.eu-west-1.amazonaws.com
	EventSource    string // CloudTrail's: "kms.amazonaws.com", but "amazonmq.amazonaws.com"
	ActionPrefix   string // IAM's name: "kms" in kms:Encrypt
	Ops            []Op   // in the order of their names
	// Shapes holds what Go types do not say, in the order of their names.
	Shapes []Shape
	// Faults has a typed nil pointer of each generated exception, by code.
	Faults []Fault
}

// Op is one operation: how it travels, and how to make, run and answer it.
type Op struct {
	Name     string
	Method   string // HTTP method
	URI      string // REST: path template such as /v1/brokers/{broker-id}, {key+} greedy
	Status   int    // HTTP status of success; 0 means 200
	ReadOnly bool   // changes no state; the audit event's readOnly
	// Data operations work on data and not on control state: they run outside of a unit
	// of work, and their events are not management events.
	Data bool
	// Anonymous operations need no signature (AssumeRoleWithWebIdentity).
	Anonymous bool
	// NoOutput operations answer no result: Out is an empty struct.
	NoOutput bool
	In       func() any
	Out      func() any
	// Call runs the operation on a value of the package's Service interface.
	// With an error the result means nothing.
	Call func(ctx context.Context, service, in any) (any, error)
}

// Op finds an operation by name.
func (a *API) Op(name string) (*Op, bool) {
	lo, hi := 0, len(a.Ops)
	for lo < hi {
		if m := (lo + hi) / 2; a.Ops[m].Name < name {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(a.Ops) && a.Ops[lo].Name == name {
		return &a.Ops[lo], true
	}
	return nil, false
}

// Target reads an X-Amz-Target header: the operation's name, and whether the
// header is for this service. SDKs of different ages send the prefix whole
// (com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101) or its last part.
func (a *API) Target(header string) (op string, ok bool) {
	i := strings.LastIndexByte(header, '.')
	if i < 0 || a.TargetPrefix == "" {
		return "", false
	}
	last := a.TargetPrefix[strings.LastIndexByte(a.TargetPrefix, '.')+1:]
	return header[i+1:], header[:i] == a.TargetPrefix || header[:i] == last
}

// Method makes an Op's functions from a method expression such as
// Service.CreateKey. It is for services written by hand: generated tables spell
// the functions out, which compiles three times as fast.
func Method[S, I, O any](op Op, f func(S, context.Context, *I) (*O, error)) Op {
	op.In = func() any { return new(I) }
	op.Out = func() any { return new(O) }
	op.Call = func(ctx context.Context, service, in any) (any, error) {
		out, err := f(service.(S), ctx, in.(*I))
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	return op
}

// Or gives what p points to, or otherwise if a member is absent.
func Or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// Caller runs an operation of a service by name; out is filled on success.
type Caller interface {
	Call(ctx context.Context, api *API, op string, in, out any) error
}

// Call runs an operation by name and gives its output.
func Call[O, I any](ctx context.Context, c Caller, a *API, op string, in *I) (*O, error) {
	out := new(O)
	if err := c.Call(ctx, a, op, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Fault is implemented by every error that has a code of AWS's: the generated
// exceptions of a service, and this package's own.
type Fault interface {
	error
	// Fault gives the code ("NotFoundException") and the HTTP status.
	Fault() (code string, status int)
}

// Unimplemented is the error of an operation that exists at AWS and not here.
type Unimplemented string

func (e Unimplemented) Error() string {
	return fmt.Sprintf("The operation %s is not implemented by Coffer.", string(e))
}

// Fault gives UnknownOperationException and 501.
func (e Unimplemented) Fault() (string, int) { return "UnknownOperationException", 501 }

// A QueryCoder is a fault with another code in the query protocol, of a service that
// speaks both: AWS.SimpleQueueService.NonExistentQueue.
type QueryCoder interface{ QueryCode() string }

// status is the HTTP status of success.
func (op *Op) status() int {
	if op.Status == 0 {
		return 200
	}
	return op.Status
}
