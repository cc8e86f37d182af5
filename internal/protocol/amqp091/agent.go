package amqp091

import (
	"context"
	"errors"
	"math"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// Agent changes the topology of a virtual host for a client of another protocol, by the
// rules, permissions and texts of this one. Arguments are encoded tables; nil is none.
// It is for one goroutine.
type Agent struct {
	c  *conn
	ch channel
}

// Agent gives one that acts for a client within its session, until ctx ends.
func (s *Server) Agent(ctx context.Context, client Client, session *broker.Session) *Agent {
	c := &conn{
		srv: s, engine: s.cfg.Engine, log: s.cfg.Logger, ctx: ctx, client: client,
		namespace: session.Namespace(), session: session,
	}
	c.out.Open()
	return &Agent{c: c}
}

// DeclareQueue is queue.declare. Errors: fault.Conflict when there is another one of that
// name, fault.Invalid for wrong arguments, fault.Denied.
func (a *Agent) DeclareQueue(s broker.QueueSpec) (*broker.Queue, error) {
	t, err := argumentTable(s.Arguments)
	if err != nil {
		return nil, err
	}
	q, err := a.c.declaredQueue(clean(s.Name), &wire.QueueDeclare{
		Queue: s.Name, Durable: s.Durable, Exclusive: s.Exclusive, AutoDelete: s.AutoDelete,
		Arguments: t,
	})
	return q, faultOf(err)
}

// EmptyQueue is queue.purge or, with remove, queue.delete. It gives the number of
// messages that went. Errors: fault.NotFound but for a deletion, fault.Denied.
func (a *Agent) EmptyQueue(name string, remove bool) (messages int, err error) {
	if remove {
		err = a.c.deleteQueue(&a.ch, &wire.QueueDelete{Queue: name})
	} else {
		err = a.c.purgeQueue(&a.ch, &wire.QueuePurge{Queue: name})
	}
	answer := a.c.out.Take(nil)
	if err != nil {
		return 0, faultOf(err)
	}
	f, _, err := wire.ParseFrame(answer, math.MaxInt32)
	if err != nil {
		return 0, err
	}
	m, err := wire.ParseMethod(f.Payload)
	switch m := m.(type) {
	case *wire.QueueDeleteOk:
		return int(m.MessageCount), nil
	case *wire.QueuePurgeOk:
		return int(m.MessageCount), nil
	}
	return 0, err
}

// DeclareExchange is exchange.declare. Errors are those of DeclareQueue.
func (a *Agent) DeclareExchange(x broker.Address, kind string) error {
	t, err := argumentTable(x.Arguments)
	if err != nil {
		return err
	}
	return faultOf(a.c.declareExchange(&a.ch, &wire.ExchangeDeclare{
		Exchange: x.Name, Type: kind, Durable: x.Durable, AutoDelete: x.AutoDelete,
		Internal: x.Internal, NoWait: true, Arguments: t,
	}))
}

// DeleteExchange is exchange.delete.
func (a *Agent) DeleteExchange(name string) error {
	return faultOf(a.c.deleteExchange(&a.ch, &wire.ExchangeDelete{Exchange: name, NoWait: true}))
}

// Bind is queue.bind or exchange.bind or, with remove, their reverse. Errors:
// fault.NotFound, fault.Invalid, fault.Denied.
func (a *Agent) Bind(b broker.Binding, remove bool) error {
	t, err := argumentTable(b.Arguments)
	if err != nil {
		return err
	}
	if err := a.c.binding(&b, t); err != nil {
		return faultOf(err)
	}
	if remove {
		return faultOf(ignoreGone(a.c.namespace.Unbind(a.c.ctx, b)))
	}
	return faultOf(a.c.bound(&b, t))
}

// argumentTable reads encoded arguments.
func argumentTable(encoded []byte) (wire.Table, error) {
	if len(encoded) < tableLength {
		return nil, nil
	}
	return wire.ParseTable(encoded[tableLength:])
}

// faultOf gives a refusal the kind that other doors understand.
func faultOf(err error) error {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return err
	}
	kind := fault.Invalid
	switch r.code {
	case wire.NotFound:
		kind = fault.NotFound
	case wire.AccessRefused:
		kind = fault.Denied
	case wire.NotImplemented:
		kind = fault.NotImplemented
	case wire.PreconditionFailed:
		if strings.HasPrefix(r.text, "inequivalent arg") {
			kind = fault.Conflict
		}
	case wire.ResourceError, wire.InternalError:
		return err
	}
	return fault.Wrap(kind, err, r.text)
}
