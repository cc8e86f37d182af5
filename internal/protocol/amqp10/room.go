package amqp10

import "context"

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

func (c *conn) watchRoom(tell func()) (stop func()) {
	if c.srv.cfg.Space == nil {
		return func() {}
	}
	return c.srv.cfg.Space.WatchRoom(tell)
}

// tellLock tells the log whether the key of the messages can be used and there is room
// for them, and senders get credit again when there is. The caller is the writer.
func (c *conn) tellLock() {
	room := c.room()
	why := c.namespace.Locked()
	if why == nil {
		why = room
	}
	if (why != nil) != c.blocked {
		c.blocked = why != nil
		c.barred.Store(c.blocked)
		c.srv.cfg.Events.blocked(c.client, why)
	}
	c.out.Lock()
	defer c.out.Unlock()
	if c.full = room != nil; c.full {
		return
	}
	for _, s := range c.live {
		for _, l := range s.links {
			if l.sender {
				c.grant(l)
			}
		}
	}
}

// wakeReader lets awaitRoom look again.
func (c *conn) wakeReader() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}

// awaitRoom stops reading from a client that sends settled messages, which could not
// be told that one was refused, until there is room. It reports whether to go on; if
// not, the connection is ending.
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
