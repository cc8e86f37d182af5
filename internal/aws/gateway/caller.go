package gateway

import (
	"cmp"
	"context"
	"fmt"
	"reflect"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/policy"
	"coffer/internal/telemetry/trace"
)

// Caller makes calls from inside the process, signed by nobody and authorized
// like any other. It implements [wire.Caller].
type Caller struct {
	Gateway *Gateway
	// Service makes the calls: "mq.amazonaws.com".
	Service string
	// OnBehalf calls as the principal of the call in the context, which the
	// service serves; else the service calls as itself.
	OnBehalf bool
	// Identity calls as the holder of an access key, for what the process does
	// in the name of its operator.
	Identity *Identity
	// Account and Region own what a call as the service itself touches. Within
	// another call they default to that call's.
	Account, Region string
	// Grant names the only grant that may allow the calls.
	Grant string
	// SourceARN is the resource for which a service calls as itself: aws:SourceArn.
	SourceARN string
	// EventSource, UserAgent and SourceIP replace what events would show; Unshown
	// are request parameters that they leave out. A SourceIP that is no address, as
	// "sqs.amazonaws.com", fits no aws:SourceIp.
	EventSource, UserAgent, SourceIP string
	Unshown                          []string
}

var _ wire.Caller = (*Caller)(nil)

// CallError is the failure of a call from inside the process, under whose RequestID the
// trail has it.
type CallError struct {
	RequestID string
	Err       error
}

// Error gives the failure's own text.
func (e *CallError) Error() string { return e.Err.Error() }

// Unwrap gives the failure.
func (e *CallError) Unwrap() error { return e.Err }

// Call checks in against the model, then runs the operation; out is filled on
// success.
func (c *Caller) Call(ctx context.Context, api *wire.API, name string, in, out any) error {
	s, op, err := c.operation(api, name)
	if err != nil {
		return err
	}
	if !same(in, op.In()) || !same(out, op.Out()) || reflect.ValueOf(out).IsNil() {
		return fmt.Errorf("call %s: %T and %T do not fit", name, in, out)
	}
	if err := s.codec.Validate(in); err != nil {
		return err
	}
	call, err := c.call(ctx)
	if err != nil {
		return fmt.Errorf("call %s: %w", name, err)
	}
	call.Region = homeRegion(s, call.Region)
	ctx, span := trace.Child(ctx, api.Name+"."+name)
	got, err := c.Gateway.run(ctx, s, op, in, call)
	span.End(failure(err))
	if err != nil {
		return &CallError{RequestID: call.RequestID, Err: err}
	}
	reflect.ValueOf(out).Elem().Set(reflect.ValueOf(got).Elem())
	return nil
}

// Permitted decides a call as of now and leaves no trace of that. What it is about may
// refuse it all the same.
func (c *Caller) Permitted(ctx context.Context, api *wire.API, name string, in any) error {
	s, op, err := c.operation(api, name)
	if err != nil {
		return err
	}
	call, err := c.call(ctx)
	if err != nil {
		return fmt.Errorf("call %s: %w", name, err)
	}
	call.Region = homeRegion(s, call.Region)
	call.unrecorded = true
	return c.Gateway.foresee(ctx, s, op, in, call)
}

func (c *Caller) operation(api *wire.API, name string) (*service, *wire.Op, error) {
	s := c.Gateway.service(func(a *wire.API) bool { return a.Name == api.Name })
	if s == nil {
		return nil, nil, fmt.Errorf("call %s: no service %s", name, api.Name)
	}
	op, ok := s.API.Op(name)
	if !ok {
		return nil, nil, fmt.Errorf("call %s: no such operation of %s", name, api.Name)
	}
	return s, op, nil
}

func same(a, b any) bool { return reflect.TypeOf(a) == reflect.TypeOf(b) }

func (c *Caller) call(ctx context.Context) (*Call, error) {
	outer, _ := ctx.Value(callKey{}).(*Call)
	call := &Call{
		RequestID: uuid.NewString(), Account: c.Account, Region: c.Region,
		Principal: policy.ServicePrincipal(c.Service),
		SourceIP:  c.Service, UserAgent: c.Service,
		InvokedBy: c.Service, Grant: c.Grant, sourceARN: c.SourceARN,
		eventSource: c.EventSource, unshown: c.Unshown, published: c.Identity == nil,
		identity: &Identity{Event: audit.Identity{Type: "AWSService"}},
	}
	if outer != nil {
		if control.From(ctx) != nil {
			call.trail = outer.trail // else it stands for itself, at once
		}
		if call.Account == "" {
			call.Account, call.Region = outer.Account, outer.Region
		}
	}
	if c.Identity != nil {
		call.identity, call.Principal = c.Identity, c.Identity.Principal
	} else if c.OnBehalf {
		if outer == nil {
			return nil, fmt.Errorf("on behalf of no one")
		}
		call.identity, call.Principal = outer.identity, outer.Principal
		call.SourceIP, call.UserAgent = outer.SourceIP, outer.UserAgent
	} else {
		call.shared = true
	}
	call.UserAgent = cmp.Or(c.UserAgent, call.UserAgent)
	call.SourceIP = cmp.Or(c.SourceIP, call.SourceIP)
	return call, nil
}
