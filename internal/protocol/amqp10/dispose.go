package amqp10

import (
	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// disposed handles what a client says of deliveries.
func (c *conn) disposed(s *session, fields wire.Raw) error {
	m := &c.disposition
	if err := m.Parse(fields); err != nil {
		return err
	}
	if m.Role == wire.RoleSender {
		return nil // all that came is settled here already
	}
	settlement, terminal, err := settlementOf(m)
	if err != nil {
		return err
	}
	if !terminal {
		return nil
	}
	first, last := m.First, m.Last.Or(m.First)
	c.out.Lock()
	c.settles = s.unsettled.take(c.settles, first, last, settlement)
	if !m.Settled {
		c.out.append(wire.FrameAMQP, s.channel, &wire.Disposition{
			Role: wire.RoleSender, First: first, Last: m.Last, Settled: true, State: m.State,
		})
		c.out.Notify()
		c.out.Wait()
	}
	c.out.Unlock()
	return c.relieve()
}

// settlementOf reads a delivery state. What is no outcome says nothing yet; what is
// settled without one is released, which is the default that links are given.
func settlementOf(m *wire.Disposition) (s broker.Settlement, terminal bool, err error) {
	if m.State.IsNull() {
		return broker.Settlement{Outcome: broker.Release, Uncounted: true}, m.Settled, nil
	}
	code, list, ok := m.State.Described()
	if !ok || !list.IsList() {
		return s, false, badState()
	}
	switch code {
	case wire.CodeAccepted:
		s.Outcome = broker.Accept
	case wire.CodeRejected:
		var r wire.Rejected
		s.Outcome, err = broker.Reject, r.Parse(list)
	case wire.CodeReleased:
		s.Outcome, s.Uncounted = broker.Release, true
	case wire.CodeModified:
		var x wire.Modified
		err = x.Parse(list)
		s.Uncounted = !x.DeliveryFailed
		if s.Outcome = broker.Release; x.UndeliverableHere {
			s.Outcome = broker.Reject
		}
	case wire.CodeReceived:
		if m.Settled {
			s.Outcome = broker.Release
		}
		return s, m.Settled, nil
	default:
		return s, false, badState()
	}
	return s, err == nil, err
}

func badState() *refusal {
	return refuse(SessionScope, wire.AmqpErrorInvalidField, "Unrecognised state in DISPOSITION")
}
