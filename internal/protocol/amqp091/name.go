package amqp091

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// reserved begins the names that only a server may give.
const reserved = "amq."

// generate makes a name that nobody can guess: "amq.gen-…".
func generate(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// clean takes line ends out of a name, as RabbitMQ does.
func clean(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

// short cuts a text to what fits a short string.
func short(s string) string {
	if len(s) <= 255 {
		return s
	}
	cut := 252
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// named is how texts call a thing: queue 'q' in vhost '/'.
func (c *conn) named(kind Resource, name string) string {
	return named(kind, name, c.client.VHost)
}

func named(kind Resource, name, vhost string) string {
	return string(kind) + " '" + name + "' in vhost '" + vhost + "'"
}

// missing is the answer for a thing that is not there.
func (c *conn) missing(kind Resource, name string) *refusal {
	return refuse(wire.NotFound, "no %s", c.named(kind, name))
}

// permit asks the engine whether the user may do that.
func (c *conn) permit(kind Resource, name string, action Action) error {
	if kind == ExchangeResource && name == "" {
		name = "amq.default"
	}
	err := c.engine.Permit(c.client.User, c.client.VHost, kind, name, action)
	if fault.KindOf(err) == fault.Denied {
		return refuse(wire.AccessRefused, "%s access to %s refused for user '%s'",
			action, c.named(kind, name), c.client.User)
	}
	return err
}

// queueName gives the name that is meant: an empty one means the queue declared
// last on the channel. Line ends stay in it: RabbitMQ takes them out only where a
// queue is declared, deleted and bound.
func (ch *channel) queueName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", refuse(wire.NotFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// queue finds a queue that this connection may use.
func (c *conn) queue(name string) (*broker.Queue, error) {
	q, ok := c.namespace.Topology().Queue(name)
	if !ok {
		return nil, c.missing(QueueResource, name)
	}
	if q.Spec().Exclusive && q.Owner() != c.session {
		return nil, c.locked(name)
	}
	return q, nil
}

// locked is the answer for an exclusive queue of another connection.
func (c *conn) locked(name string) *refusal {
	return refuse(wire.ResourceLocked, "cannot obtain exclusive access to locked %s. It could be "+
		"originally declared on another connection or the exclusive property value does not "+
		"match that of the original declaration.", c.named(QueueResource, name))
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
		return refuse(wire.AccessRefused, "%s in exclusive use", c.named(QueueResource, queue))
	case fault.KindOf(err) == fault.NotFound:
		return c.missing(QueueResource, queue)
	}
	return err
}
