package gateway

import (
	"context"
	"errors"
	"fmt"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
)

// run serves one call from authorization to its durable event. A call inside
// another (ctx carries a unit of work) joins it: effects and event stand or
// fall with the outer call, but a refusal or a read stays on record.
func (g *Gateway) run(ctx context.Context, s *service, op *wire.Op, in any, call *Call) (
	out any, err error,
) {
	outer := call.trail
	if outer == nil {
		call.trail = &trail{shown: map[*audit.Event]bool{}}
	}
	call.event = g.newEvent(s, op, in, call)
	ctx = context.WithValue(ctx, callKey{}, call)
	if p, ok := s.Impl.(Preparer); ok {
		if ctx, err = p.Prepare(ctx, op, in); err != nil {
			return nil, g.refuse(ctx, s, call, outer == nil, err)
		}
	}
	work := func(ctx context.Context, tx *control.Tx) error {
		call.event.EventTime = tx.Time()
		if err := g.authorize(ctx, s, op, in, call); err != nil {
			return err
		}
		if out, err = op.Call(ctx, s.Impl, in); err != nil {
			return err
		}
		if !op.ReadOnly && !call.trail.shown[call.event] {
			call.event.ResponseElements = s.codec.Audit(out)
		}
		call.trail.events = append(call.trail.events, call.event)
		if outer != nil || op.ReadOnly {
			return nil
		}
		for _, e := range call.trail.events {
			if err := g.log.Append(tx, e); err != nil {
				return fmt.Errorf("append event: %w", err)
			}
		}
		return nil
	}
	if op.ReadOnly {
		err = g.db.View(ctx, work)
	} else {
		err = g.db.Update(ctx, work)
	}
	if err != nil {
		return nil, g.refuse(ctx, s, call, outer == nil, err)
	}
	if outer == nil && op.ReadOnly {
		if err := g.record(ctx, call.trail); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// refuse puts the failed call on record and gives the error to answer.
func (g *Gateway) refuse(ctx context.Context, s *service, call *Call, root bool, err error) error {
	g.fail(s, call, err)
	if !root {
		return err
	}
	if rerr := g.record(ctx, call.trail); rerr != nil {
		return errors.Join(rerr, err)
	}
	return err
}

// fail puts the error on the event, and the event on the trail.
func (g *Gateway) fail(s *service, call *Call, err error) {
	f := g.fault(s, err)
	e := call.event
	e.ErrorCode, _ = f.Fault()
	e.ErrorMessage = message(f)
	e.ResponseElements = nil
	if n := len(call.trail.events); n == 0 || call.trail.events[n-1] != e {
		call.trail.events = append(call.trail.events, e)
	}
}

// record writes the events of a call that has no effects. What an inner call
// changed was dropped with the rest, so only its reads and refusals are told.
func (g *Gateway) record(ctx context.Context, t *trail) error {
	ctx = context.WithoutCancel(ctx)
	for i, e := range t.events {
		last := i == len(t.events)-1
		if last || e.ReadOnly || e.ErrorCode != "" {
			if err := g.log.Record(ctx, e); err != nil {
				return fmt.Errorf("record event: %w", err)
			}
		}
	}
	return nil
}

func message(f wire.Fault) string {
	if m, ok := f.(wire.Messenger); ok {
		return m.FaultMessage()
	}
	return f.Error()
}
