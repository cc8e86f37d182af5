package amqp10

import (
	"math"

	"coffer/internal/protocol/amqp10/wire"
)

// pushAhead bounds the deliveries that the broker pushes before they went out.
const pushAhead = 256

// left gives how much of an allowance is left that a peer gave when it had seen count,
// now that it is at present. Both are serial numbers.
func left(count, allowance, present uint32) uint32 {
	n := int64(int32(count-present)) + int64(allowance)
	return uint32(min(max(n, 0), math.MaxInt32))
}

// wake lets the writer look at what a link holds. The caller holds the lock.
func (c *conn) wake(l *link) {
	if len(l.held) > 0 && !l.woken {
		l.woken = true
		c.resume = append(c.resume, l)
		c.out.Notify()
	}
}

// flowed handles the state of a session and perhaps a link.
func (c *conn) flowed(s *session, fields wire.Raw) error {
	m := &c.flow
	if err := m.Parse(fields); err != nil {
		return err
	}
	c.out.Lock()
	defer c.out.Unlock()
	// What the client has not seen yet when it told its window counts against it.
	s.remoteWindow = left(m.NextIncomingID.Or(0), m.IncomingWindow, s.nextOutgoing)
	if s.remoteWindow > 0 {
		for _, l := range s.links {
			c.wake(l)
			c.sendReplies(l)
		}
	}
	if !m.Handle.Set {
		if m.Echo {
			f := s.flowFrame()
			c.out.append(wire.FrameAMQP, s.channel, &f)
			c.out.Notify()
		}
		return nil
	}
	l := s.links[m.Handle.Value]
	switch {
	case l == nil:
		return refuse(SessionScope, wire.SessionErrorUnattachedHandle,
			"Unattached link handle: %d", m.Handle.Value)
	case l.detached:
	case l.sender:
		if m.Echo {
			c.tellCredit(l, false)
		}
	default:
		c.credited(l, m)
	}
	return nil
}

// credited takes the credit of a receiver over. The caller holds the lock.
func (c *conn) credited(l *link, m *wire.Flow) {
	if m.LinkCredit.Set {
		l.credit = left(m.DeliveryCount.Or(0), m.LinkCredit.Value, l.deliveryCount)
	}
	if l.management {
		if c.sendReplies(l); m.Drain {
			l.drained = true
			c.finishDrain(l)
		} else if m.Echo {
			c.tellCredit(l, false)
		}
		return
	}
	c.wake(l)
	c.ask(l)
	if l.draining = m.Drain; l.draining || l.asked > l.wanted() {
		c.reclaim(l)
	}
	if m.Echo {
		c.tellCredit(l, false)
	}
}

// wanted is how many deliveries the broker should push.
func (l *link) wanted() int {
	return max(min(int(l.credit)-l.opening, pushAhead)-len(l.held), 0)
}

// ask lets the broker push as many deliveries as the link can take soon. The caller
// holds the lock.
func (c *conn) ask(l *link) {
	want := l.wanted()
	if l.reclaiming || l.asked >= want || l.asked > pushAhead/2 {
		return
	}
	c.events.AddCredit(l.consumer, want-l.asked)
	l.asked = want
}

// reclaim asks the broker to deliver what there is now and to forget what it may
// deliver beyond that. Until the answer it gets no credit, so that both know how much
// it has. The caller holds the lock.
func (c *conn) reclaim(l *link) {
	if l.reclaiming {
		return
	}
	l.reclaiming = true
	if less := l.asked - l.wanted(); less > 0 {
		c.events.AddCredit(l.consumer, -less)
	}
	c.events.Drain(l.consumer)
}

// reclaimed handles that answer. The caller holds the lock.
func (c *conn) reclaimed(l *link, left uint64) {
	l.reclaiming, l.asked = false, 0
	switch {
	case !l.draining:
		c.ask(l)
	case left == 0 && l.wanted() > 0: // there may be more than was asked for
		c.ask(l)
		c.reclaim(l)
	default:
		l.drained = true
		c.finishDrain(l)
	}
}

// finishDrain tells a receiver that it has all there is, when that has gone out. The
// caller holds the lock.
func (c *conn) finishDrain(l *link) {
	if !l.drained || l.credit > 0 && len(l.held) > 0 {
		return
	}
	l.deliveryCount += l.credit
	l.credit, l.draining, l.drained = 0, false, false
	c.tellCredit(l, true)
}
