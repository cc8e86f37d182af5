package amqp091

import (
	"context"

	"coffer/internal/broker"
)

// Space tells whether there is room for new messages on the disk.
type Space interface {
	// Room is nil, or the reason why messages must be refused now.
	Room() error
	// WatchRoom calls fn after each change of Room until stop is called. fn does
	// not block and may still run once while stop does.
	WatchRoom(fn func()) (stop func())
}

// room is the reason why there is no room, or nil.
func (c *conn) room() error {
	if c.srv.cfg.Space == nil {
		return nil
	}
	return c.srv.cfg.Space.Room()
}

// watchRoom wakes what waits for room, and lets the writer tell the client.
func (c *conn) watchRoom(tell func()) (stop func()) {
	if c.srv.cfg.Space == nil {
		return func() {}
	}
	return c.srv.cfg.Space.WatchRoom(func() {
		tell()
		c.wakeReader()
	})
}

// wakeReader lets awaitRoom look again.
func (c *conn) wakeReader() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}

// awaitRoom stops reading from a client that publishes without confirms, which
// could not be told that a message was refused, until there is room. RabbitMQ
// does so on a disk alarm. What the client sent before is worked off. It reports
// whether to go on; if not, the connection is ending.
func (c *conn) awaitRoom() (bool, error) {
	if err := c.flush(); err != nil {
		return false, err
	}
	for c.room() != nil {
		if c.stopping.Load() || c.trouble.Load() != nil {
			return false, nil
		}
		select {
		case <-c.look:
		case <-c.ctx.Done():
			return false, context.Cause(c.ctx)
		}
	}
	return true, nil
}

// closedFor is why nothing can be published now: the key of the messages cannot be
// used, or there is no room for them.
func (c *conn) closedFor(n *broker.Namespace) error {
	if err := n.Locked(); err != nil {
		return err
	}
	return c.room()
}
