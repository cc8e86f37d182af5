package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/lint"
	"coffer/internal/telemetry/trace"
)

// trail gathers the events of a call and of the calls it makes, in order.
type trail struct {
	events []*audit.Event
	shown  map[*audit.Event]bool // ResponseElements were set by the service
	denied map[*audit.Event]bool // for the caller's account only
}

func newTrail() *trail {
	return &trail{shown: map[*audit.Event]bool{}, denied: map[*audit.Event]bool{}}
}

// drop takes back the event of a call whose effects were dropped.
func (t *trail) drop(e *audit.Event) {
	t.events = slices.DeleteFunc(t.events, func(x *audit.Event) bool { return x == e })
}

// run serves one call from authorization to its durable event. A call inside
// another shares its trail and unit of work: effects and event stand or fall
// with the outer call, but a refusal or a read stays on record.
func (g *Gateway) run(ctx context.Context, s *service, op *wire.Op, in any, call *Call) (
	out any, err error,
) {
	if op.Data {
		return g.runData(ctx, s, op, in, call)
	}
	root := call.trail == nil
	if root {
		call.trail = newTrail()
	}
	call.event = g.newEvent(s, op, in, call)
	ctx = context.WithValue(ctx, callKey{}, call)
	call.permitted = func(ctx context.Context) error { return g.foresee(ctx, s, op, in, call) }
	prepared, err := guarded(func() (context.Context, error) {
		if err := g.lint(ctx, s, call); err != nil {
			return ctx, err
		}
		if p, ok := s.Impl.(Preparer); ok {
			return p.Prepare(ctx, op, in)
		}
		return ctx, nil
	})
	if err != nil {
		return nil, g.refuse(ctx, s, call, root, err)
	}
	work := func(ctx context.Context, tx *control.Tx) error {
		call.event.EventTime = tx.Time()
		out, err = guarded(func() (any, error) { return g.perform(ctx, s, op, in, call) })
		if err != nil {
			return err
		}
		return g.note(tx, op, call, root)
	}
	unit, span := trace.Child(prepared, "unit of work")
	if op.ReadOnly {
		err = g.db.View(unit, work)
	} else {
		err = g.db.Update(unit, work)
	}
	span.End(failure(err))
	if err == nil && root && op.ReadOnly {
		if err := g.record(ctx, call.trail); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, g.refuse(ctx, s, call, root, err)
	}
	if f, ok := s.Impl.(Finisher); ok && root && !op.ReadOnly {
		if err := f.Finish(ctx, op, in); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// runData serves an operation on data: it is decided in a unit of work that reads, and
// runs outside of any. Its event, if somebody wants it, is a data event.
func (g *Gateway) runData(
	ctx context.Context, s *service, op *wire.Op, in any, call *Call,
) (any, error) {
	call.trail, call.unrecorded = newTrail(), true
	call.event = &audit.Event{}
	ctx = context.WithValue(ctx, callKey{}, call)
	call.permitted = func(ctx context.Context) error { return g.foresee(ctx, s, op, in, call) }
	err := g.db.Peek(ctx, func(ctx context.Context, tx *control.Tx) error {
		call.event.EventTime = tx.Time()
		if err := g.renew(ctx, s.API, call); err != nil {
			return err
		}
		return g.authorize(ctx, s, op, in, call)
	})
	g.selectData(s, op, in, call)
	var out any
	if err == nil {
		out, err = op.Call(ctx, s.Impl, in)
	}
	if err = g.recordData(ctx, s, call, err); err != nil {
		return nil, err
	}
	return out, nil
}

// foresee decides the call as of now, for the caller as he is now, and leaves no event.
func (g *Gateway) foresee(
	ctx context.Context, s *service, op *wire.Op, in any, call *Call,
) error {
	return g.db.Peek(ctx, func(ctx context.Context, tx *control.Tx) error {
		if err := g.renew(ctx, s.API, call); err != nil {
			return err
		}
		try := *call
		try.event = &audit.Event{EventTime: tx.Time()}
		err := g.authorize(context.WithValue(ctx, callKey{}, &try), s, op, in, &try)
		call.sealed = try.sealed
		return err
	})
}

// perform authorizes the call and runs its method.
func (g *Gateway) perform(
	ctx context.Context, s *service, op *wire.Op, in any, call *Call,
) (any, error) {
	if err := g.renew(ctx, s.API, call); err != nil {
		return nil, err
	}
	if err := g.authorize(ctx, s, op, in, call); err != nil {
		return nil, err
	}
	out, err := op.Call(ctx, s.Impl, in)
	if err == nil && !op.ReadOnly && !call.trail.shown[call.event] {
		if m := s.codec.Audit(out); len(m) > 0 {
			lint.Scrub(m, call.hidden())
			call.event.ResponseElements = fit("responseElements", m)
		}
	}
	return out, err
}

// note puts the event of a call that succeeded on the trail and, when it has
// effects and stands for itself, the trail into the unit of work.
func (g *Gateway) note(tx *control.Tx, op *wire.Op, call *Call, root bool) error {
	t, e := call.trail, call.event
	t.events = append(t.events, e)
	switch {
	case op.ReadOnly:
		return nil
	case !root:
		tx.Failed(func() { t.drop(e) })
		return nil
	}
	list := t.all()
	for _, e := range list {
		if err := g.log.Append(tx, e); err != nil {
			return fmt.Errorf("append event: %w", err)
		}
	}
	tx.After(func() {
		for _, e := range list {
			g.recorded(e)
		}
	})
	return nil
}

// refuse puts the failed call on record and gives the error to answer. What is
// not on record is not answered as a refusal either.
func (g *Gateway) refuse(ctx context.Context, s *service, call *Call, root bool, err error) error {
	f, e := g.fault(s, err), call.event
	e.ErrorCode, _ = f.Fault()
	e.ErrorMessage = clip(message(f), maxErrorMessage)
	e.ResponseElements = nil
	call.trail.denied[e] = fault.KindOf(err) == fault.Denied
	call.trail.drop(e) // it is there if the commit failed
	call.trail.events = append(call.trail.events, e)
	if !root {
		return err
	}
	if rerr := g.record(ctx, call.trail); rerr != nil {
		return fmt.Errorf("%w; it was to tell: %s", rerr, err.Error())
	}
	return err
}

// record writes the events of a call that has no effects.
func (g *Gateway) record(ctx context.Context, t *trail) error {
	ctx = context.WithoutCancel(ctx) // who hangs up is on record all the same
	for _, e := range t.all() {
		if err := g.log.Record(ctx, e); err != nil {
			return fmt.Errorf("record event: %w", err)
		}
		g.recorded(e)
	}
	return nil
}

func (g *Gateway) recorded(e *audit.Event) {
	if g.cfg.Events.Recorded != nil {
		g.cfg.Events.Recorded(e)
	}
}

// errPanic: a method broke an expectation of its own.
var errPanic = errors.New("gateway: panic")

// guarded gives a panic of fn as an error, so that it is answered, recorded and
// logged like any other failure.
func guarded[T any](fn func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return fn()
}

func message(f wire.Fault) string {
	if m, ok := f.(wire.Messenger); ok {
		return m.FaultMessage()
	}
	return f.Error()
}
