package amqp10

import (
	"errors"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/buffer"
)

// writer is what belongs to the writer's goroutine. It sends what the reader
// and the broker have for the client, in one write for each time it wakes up.
type writer struct {
	spare   []byte // for the next buffer
	idle    bool   // nothing was written since the last tick
	blocked bool   // as the log was told
	halted  bool   // a delivery cannot be opened: the connection is ending

	list    []broker.Event // taken from the session
	next    int            // the first not handled
	parcels []parcel
	arena   []byte // opened contents of parcels
	returns []broker.DeliveryRef
	settled []broker.Settlement // of deliveries that went settled
	tell    verdicts
	head    []byte // sections before the bare message
	tag     []byte
}

// write is the writer goroutine.
func (c *conn) write() {
	defer close(c.written)
	tuned := c.tuned
	var tick <-chan time.Time
	for {
		select {
		case <-c.out.Wake():
		case <-tuned:
			tuned = nil
			if c.silence > 0 {
				ticker := time.NewTicker(max(c.silence/2, shortestTick))
				defer ticker.Stop()
				tick = ticker.C
			}
			continue
		case <-tick:
			c.beat()
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

// shortestTick bounds how often a client can ask for a sign of life.
const shortestTick = 50 * time.Millisecond

// drain writes until the session has no events and the buffer is empty.
func (c *conn) drain() error {
	for {
		if c.changed.Swap(false) {
			c.tellLock()
		}
		more := c.handleEvents()
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
		c.outflow.add(len(buf))
		c.spare = c.srv.pool.Recycle(buf)
	}
}

// beat adds an empty frame when nothing was written since the last tick, and lets
// go of memory that an idle connection does not need.
func (c *conn) beat() {
	if c.idle {
		c.out.Lock()
		if len(c.out.Buf) == 0 {
			c.out.Buf = nil
		}
		buf, at := wire.OpenFrame(c.out.Buf, wire.FrameAMQP, 0)
		c.out.Buf = wire.CloseFrame(buf, at)
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
