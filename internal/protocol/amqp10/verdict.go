package amqp10

import (
	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
)

// Outcomes without fields, as they are sent.
const (
	acceptedOutcome = "\x00\x53\x24\x45"
	releasedOutcome = "\x00\x53\x26\x45"
)

// outcomes are those, so that sending one allocates nothing.
type outcomes struct{ accepted, released wire.Raw }

func newOutcomes() outcomes {
	return outcomes{wire.Raw(acceptedOutcome), wire.Raw(releasedOutcome)}
}

func encodeRejected(condition, text string) wire.Raw {
	r := wire.Rejected{Error: encodeError(condition, text)}
	return r.Append(nil)
}

// outcomeOf is what a sender hears of a message that was not taken. One that may be
// sent again soon is released, any other rejected with the reason.
func outcomeOf(err error) wire.Raw {
	if fault.KindOf(err) == fault.Unavailable {
		return wire.Raw(releasedOutcome)
	}
	condition, text := conditionOf(err)
	return encodeRejected(condition, text)
}

// verdicts gathers messages of a session with ids in a row that were accepted, so that
// one disposition tells of all.
type verdicts struct {
	session     *session
	second      bool
	first, last uint32
}

// decided handles the broker's word on the message that waits the longest. The caller
// holds the lock.
func (c *conn) decided(e *broker.Event) {
	if len(c.waiting) == 0 {
		return
	}
	in := c.waiting[0]
	c.waiting[0] = incoming{}
	if c.waiting = c.waiting[1:]; len(c.waiting) == 0 {
		c.waiting = nil
	}
	l := in.link
	l.unconfirmed--
	decidedSpan(in.span, e.Err)
	if l.detached || c.live[l.session.channel] != l.session {
		return
	}
	v := &c.tell
	if e.Err != nil {
		c.tellVerdicts()
		c.out.append(wire.FrameAMQP, l.session.channel, &wire.Disposition{
			Role: wire.RoleReceiver, First: in.id, Settled: !l.second,
			State: outcomeOf(e.Err),
		})
	} else if v.session == l.session && v.second == l.second && in.id == v.last+1 {
		v.last = in.id
	} else {
		c.tellVerdicts()
		*v = verdicts{l.session, l.second, in.id, in.id}
	}
	c.grant(l)
}

// tellVerdicts sends what was gathered. The caller holds the lock.
func (c *conn) tellVerdicts() {
	v := &c.tell
	if v.session == nil {
		return
	}
	d := wire.Disposition{
		Role: wire.RoleReceiver, First: v.first, Settled: !v.second, State: c.accepted,
	}
	if v.last != v.first {
		d.Last = wire.Some(v.last)
	}
	c.out.append(wire.FrameAMQP, v.session.channel, &d)
	c.srv.roster.told.Add(uint64(v.last-v.first) + 1)
	*v = verdicts{}
}
