package amqp091

import (
	"context"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// Doorkeeper is an [Engine] that counts who is in, and may have enough of them.
type Doorkeeper interface {
	// Admit counts a connection until leave is called. Until then end may be called, from
	// any goroutine, when the connection must go, with the reason for the client; it does
	// not block. Errors: fault.Exhausted with RabbitMQ's text when there are too many.
	Admit(user, vhost string, end func(reason string)) (leave func(), err error)
	// AdmitChannel counts a channel until leave is called. leave may be called with locks
	// held. Errors: as of Admit.
	AdmitChannel(user string) (leave func(), err error)
}

// open enters a virtual host of the engine.
func (c *conn) open(ctx context.Context, vhost string) (*broker.Namespace, error) {
	left := func() {}
	if k, ok := c.engine.(Doorkeeper); ok {
		leave, err := k.Admit(c.client.User, vhost, func(reason string) {
			c.fail(refuse(wire.ConnectionForced, "%s", reason))
		})
		if err != nil {
			return nil, notAdmitted(err)
		}
		left = leave
	}
	n, err := c.engine.Open(ctx, c.client.User, vhost)
	if err == nil {
		err = predeclare(ctx, n)
	}
	if err != nil {
		left()
		return nil, err
	}
	c.left = left
	return n, nil
}

// admitChannel counts a channel that is about to be opened.
func (c *conn) admitChannel() (left func(), err error) {
	k, ok := c.engine.(Doorkeeper)
	if !ok {
		return func() {}, nil
	}
	if left, err = k.AdmitChannel(c.client.User); err != nil {
		return nil, notAdmitted(err)
	}
	return left, nil
}

func notAdmitted(err error) error {
	if fault.KindOf(err) != fault.Exhausted {
		return err
	}
	return &refusal{code: wire.NotAllowed, text: publicText(err), err: err}
}
