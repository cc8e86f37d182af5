package amqp10

import (
	"coffer/internal/protocol/amqp10/wire"
)

// pushAhead bounds the deliveries that the broker pushes before they went out.
const pushAhead = 256

// flowed handles the state of a session and perhaps a link.
func (c *conn) flowed(s *session, fields wire.Raw) error {
	m := &c.flow
	if err := m.Parse(fields); err != nil {
		return err
	}
	c.out.Lock()
	defer c.out.Unlock()
	// What the client has not seen yet when it told its window counts against it.
	s.remoteWindow = m.NextIncomingID.Or(0) + m.IncomingWindow - s.nextOutgoing
	if int32(s.remoteWindow) < 0 {
		s.remoteWindow = 0
	}
	if s.remoteWindow > 0 {
		for _, l := range s.links {
			if len(l.held) > 0 {
				c.resume = append(c.resume, l)
				c.out.notify()
			}
		}
	}
	if !m.Handle.Set {
		if m.Echo {
			f := s.flowFrame()
			c.out.append(wire.FrameAMQP, s.channel, &f)
			c.out.notify()
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
		credit := m.DeliveryCount.Or(0) + m.LinkCredit.Value - l.deliveryCount
		if l.credit = credit; int32(credit) < 0 {
			l.credit = 0
		}
	}
	l.draining = m.Drain
	if len(l.held) > 0 {
		c.resume = append(c.resume, l)
		c.out.notify()
	}
	c.ask(l)
	if m.Echo {
		c.tellCredit(l, false)
	}
}

// ask lets the broker push as many deliveries as the link can take soon. The caller
// holds the lock.
func (c *conn) ask(l *link) {
	want := max(min(int(l.credit), pushAhead)-len(l.held), 0)
	if l.asked >= want || l.asked > pushAhead/2 {
		return
	}
	c.events.AddCredit(l.consumer, want-l.asked)
	l.asked = want
}
