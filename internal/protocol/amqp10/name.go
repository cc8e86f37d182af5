package amqp10

import (
	"crypto/rand"
	"encoding/base64"
	"errors"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
)

// generate makes a name that nobody can guess: "amq.gen-…".
func generate() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	return "amq.gen-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// named is how texts call a thing: queue 'q' in vhost '/'.
func (c *conn) named(kind, name string) string {
	return kind + " '" + name + "' in vhost '" + c.client.VHost + "'"
}

// missing is the answer for a thing that is not there.
func (c *conn) missing(kind, name string) *refusal {
	return refuse(SessionScope, wire.AmqpErrorNotFound, "no %s", c.named(kind, name))
}

// permit asks the engine whether the user may do that.
func (c *conn) permit(kind, name, action string) error {
	if kind == kindExchange && name == "" {
		name = "amq.default"
	}
	err := c.srv.cfg.Engine.Permit(c.client.User, c.client.VHost, kind, name, action)
	if fault.KindOf(err) == fault.Denied {
		return refuse(SessionScope, wire.AmqpErrorUnauthorizedAccess,
			"%s access to %s refused for user '%s'", action, c.named(kind, name), c.client.User)
	}
	return err
}

// queue finds a queue that this connection may use.
func (c *conn) queue(name string) (*broker.Queue, error) {
	q, ok := c.namespace.Topology().Queue(name)
	if !ok {
		return nil, c.missing(kindQueue, name)
	}
	if q.Spec().Exclusive && q.Owner() != c.session {
		return nil, c.locked(name)
	}
	return q, nil
}

// locked is the answer for an exclusive queue of another connection.
func (c *conn) locked(name string) *refusal {
	return refuse(SessionScope, wire.AmqpErrorResourceLocked,
		"cannot obtain exclusive access to locked %s", c.named(kindQueue, name))
}

// ignoreGone drops the error that a thing to be removed is not there.
func ignoreGone(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// about turns the broker's errors about a queue into RabbitMQ's words.
func (c *conn) about(queue string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, broker.ErrLocked):
		return c.locked(queue)
	case errors.Is(err, broker.ErrExclusive):
		return refuse(SessionScope, wire.AmqpErrorResourceLocked,
			"%s in exclusive use", c.named(kindQueue, queue))
	case fault.KindOf(err) == fault.NotFound:
		return c.missing(kindQueue, queue)
	}
	return err
}
