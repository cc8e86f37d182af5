// Package gateway is the HTTPS door of the AWS APIs: it finds the operation,
// verifies the signature, decodes, authorizes, calls the service's method in a
// unit of work, records the event, commits and encodes. In-process calls of one
// service to another go the same way, without HTTP.
//
// Guarantees: no method runs without a verified caller and an allowing
// decision; effects and their event are one batch; a read or a refusal is
// recorded before its answer, and a call that cannot be recorded fails; a method
// that panics has changed nothing and is recorded as failed; an internal failure
// is answered without its text. A request whose signature fails or that names no
// operation is counted and logged, not recorded: an anonymous caller must not
// fill the disk. A body is read only for an access key that exists.
package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"coffer/internal/audit"
	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/lint"
	"coffer/internal/policy"
	"coffer/internal/telemetry/trace"
)

// Service is one AWS service as node wires it.
type Service struct {
	API *wire.API
	// Impl implements the generated package's Service interface.
	Impl any
	// Access says what a request touches; nil means every operation is checked
	// against the resource "*" of the caller's account.
	Access Access
	// MaxBody is the bytes of a request's body; default [Config.MaxBody].
	MaxBody int64
}

// Access is implemented by a service whose operations touch resources.
type Access interface {
	// Access lists what the request touches, in the request's unit of work and
	// before the operation; every check must allow. An error is answered as the
	// operation's own, for instance that a key does not exist.
	Access(ctx context.Context, op *wire.Op, in any) ([]Check, error)
}

// Check is one decision that a request needs. Its fields go into the
// [policy.Request] of the same names.
type Check struct {
	Action   string // "kms:Decrypt"; empty = the service's prefix and the operation
	Resource string // ARN; empty = "*"
	Account  string // the resource's owner; empty = the one in Resource, or the caller's
	Type     string // "AWS::KMS::Key" puts the resource on the event; empty = not
	// Policy is the resource's own; its Document may be nil for none.
	Policy            policy.Policy
	RootOfTrust       bool
	Grants            []policy.Grant
	NewGrant          *policy.Grant
	OnlyGrant         string // empty = the call's own
	EncryptionContext map[string]string
	Context           map[string][]string // condition keys beyond the gateway's own
	MFA               bool                // a one-time code in this request was right
	// Anyone: every caller may, whatever its policies say. AWS documents it for
	// the operations that tell callers who they are.
	Anyone bool
}

// A Preparer is a service that has work to do before the unit of work begins,
// such as making a key or hashing a password: while a unit that writes is open,
// no other can begin. What Prepare puts into the context reaches the operation.
// It runs before the authorization and must change nothing but what has to outlast
// a refusal, such as that a one-time code was tried; what costs much asks
// [Call.Permitted] first.
type Preparer interface {
	Prepare(ctx context.Context, op *wire.Op, in any) (context.Context, error)
}

// A Finisher is a service that has work to do when the effects of a call are durable
// and before it is answered, outside of any unit of work. It must be able to make good
// later what was left undone: its error is answered, but the effects and their event
// stay. It is called for what comes from outside.
type Finisher interface {
	Finish(ctx context.Context, op *wire.Op, in any) error
}

// Config tunes a Gateway; the zero value is the default.
type Config struct {
	MaxBody int64            // bytes of a request's body; default 1 MiB
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default slog.Default
	Events  Events
	// Used, if not nil, is told of each request with long-term credentials whose
	// signature is right, once it was decided and done: a request that takes a key away
	// must not wait for what this writes. Its error replaces the answer.
	Used func(ctx context.Context, accessKeyID, service, region string) error
	// Selected tells whether somebody wants the data event of an operation on data on the
	// trail of RecipientAccountID. It is asked by the event's source, name, Region, access
	// and resources. Nil: nobody wants any.
	Selected func(e *audit.Event) bool
	// Lint says what is done about names, tags and descriptions that look like personal
	// data or secrets; default lint.Warn.
	Lint lint.Mode
	// Tracer traces the calls whose caller is known; nil: none.
	Tracer *trace.Tracer
}

// Events tells a listener what happened; each may be nil and must not block.
type Events struct {
	// Answered is called once per HTTP request; service and operation are empty
	// when it did not get that far.
	Answered func(service, operation, code string, status int, took time.Duration)
	// Recorded is called once per event, when it is durable. The event must
	// not be changed.
	Recorded func(e *audit.Event)
}

// Gateway serves the AWS APIs. It is an [http.Handler], safe for concurrent use.
type Gateway struct {
	cfg      Config
	db       *control.DB
	log      *audit.Log
	ids      Identities
	verifier *sigv4.Verifier
	services []*service
	bodies   sync.Pool // of *bytes.Buffer, for requests
}

type service struct {
	Service
	codec *wire.Codec
}

// New compiles the codecs of the services, of which there is at least one.
func New(db *control.DB, log *audit.Log, ids Identities, services []Service, cfg Config) (
	*Gateway, error,
) {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	g := &Gateway{cfg: cfg, db: db, log: log, ids: ids}
	g.bodies.New = func() any { return new(bytes.Buffer) }
	g.verifier = sigv4.New(sigv4.Config{Now: cfg.Now})
	var errs []error
	if len(services) == 0 {
		errs = append(errs, errors.New("gateway: no services"))
	}
	for _, s := range services {
		codec, err := wire.Compile(s.API)
		if err != nil {
			errs = append(errs, fmt.Errorf("service %s: %w", s.API.Name, err))
			continue
		}
		s.MaxBody = cmp.Or(s.MaxBody, cfg.MaxBody)
		g.services = append(g.services, &service{s, codec})
	}
	return g, errors.Join(errs...)
}

func (g *Gateway) service(match func(*wire.API) bool) *service {
	for _, s := range g.services {
		if match(s.API) {
			return s
		}
	}
	return nil
}
