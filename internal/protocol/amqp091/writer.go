package amqp091

import (
	"errors"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"
)

// writer is what belongs to the writer's goroutine. It sends what the reader
// and the broker have for the client, in one write for each time it wakes up.
type writer struct {
	spare   []byte // for the next buffer
	idle    bool   // nothing was written since the last tick
	blocked bool   // connection.blocked is the last the client heard of it

	halted  bool           // a delivery cannot be opened: the connection is ending
	list    []broker.Event // taken from the session
	next    int            // the first not handled
	taken   int64          // when parcels were chosen, in nanoseconds since 1970
	parcels []parcel
	arena   []byte // opened contents of parcels
	returns []broker.DeliveryRef
	touched []*channel // with confirms to tell

	header, exchange, key []byte // scratch of one message
}

// write is the writer goroutine.
func (c *conn) write() {
	defer close(c.written)
	tuned := c.tuned
	var tick, look <-chan time.Time
	for {
		select {
		case <-c.out.Wake():
		case <-tuned:
			tuned = nil
			late := time.NewTicker(c.srv.lateInterval)
			defer late.Stop()
			look = late.C
			if c.heartbeat > 0 {
				// Half of the interval, so that none is late by a whole one.
				ticker := time.NewTicker(c.heartbeat / 2)
				defer ticker.Stop()
				tick = ticker.C
			}
			continue
		case <-tick:
			c.beat()
		case now := <-look:
			c.findLate(now)
		}
		if err := c.drain(); err != nil {
			c.broke(err)
			return
		}
		if c.out.Ended() {
			return
		}
	}
}

// drain writes until the session has no events and the buffer is empty.
func (c *conn) drain() error {
	for {
		if c.lockChanged.Swap(false) {
			c.tellLock()
		}
		more := c.events()
		buf := c.out.Take(c.spare)
		c.spare = nil
		if len(buf) == 0 {
			c.spare = c.srv.pool.Recycle(buf)
			if !more {
				return nil
			}
			continue
		}
		c.idle = false
		if err := buffer.Write(c.net, buf, c.srv.cfg.WriteTimeout); err != nil {
			return errors.Join(errWrite, err)
		}
		c.sent.add(len(buf))
		c.spare = c.srv.pool.Recycle(buf)
	}
}

// beat adds a heartbeat when nothing was written since the last tick, and lets
// go of memory that an idle connection does not need.
func (c *conn) beat() {
	if c.idle {
		c.out.Lock()
		if len(c.out.Buf) == 0 {
			c.out.Buf = nil
		}
		c.out.Buf = wire.AppendHeartbeat(c.out.Buf)
		c.out.Unlock()
		c.spare, c.arena, c.list, c.parcels, c.next = nil, nil, nil, nil, 0
	}
	c.idle = true
}

// broke ends the connection because the client cannot be written to.
func (c *conn) broke(err error) {
	c.out.Fail()
	c.cancel(err)
	c.net.Close() // wakes the reader
}

// tellLock tells a client that understands it whether the key of its messages
// can be used and there is room for them.
func (c *conn) tellLock() {
	why := c.closedFor(c.namespace)
	if (why != nil) == c.blocked {
		return
	}
	c.blocked = why != nil
	c.bar(c.blocked)
	c.srv.cfg.Events.blocked(c.client, why)
	if !c.capabilities.blocked {
		return
	}
	c.out.Lock()
	defer c.out.Unlock()
	if c.blocked {
		c.out.append(0, &wire.ConnectionBlocked{Reason: short(publicText(why))})
	} else {
		c.out.append(0, &wire.ConnectionUnblocked{})
	}
}
