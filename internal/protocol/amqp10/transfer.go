package amqp10

import (
	"coffer/internal/protocol/amqp10/wire"
)

// growBody is the largest memory that is set aside for a message before it comes.
const growBody = 256 << 10

// transferred handles a frame of a message.
func (c *conn) transferred(s *session, p wire.Performative) error {
	m := &c.transfer
	if err := m.Parse(p.Fields); err != nil {
		return err
	}
	if err := c.received(s); err != nil {
		return err
	}
	l := s.links[m.Handle]
	switch {
	case l == nil:
		return refuse(SessionScope, wire.SessionErrorUnattachedHandle,
			"Unattached link handle: %d", m.Handle)
	case c.gone(l):
		return nil
	case !l.sender:
		return refuse(SessionScope, wire.AmqpErrorNotAllowed,
			"transfer on link %d, on which the client receives", m.Handle)
	}
	a := &l.assembly
	if err := a.check(m); err != nil {
		return err
	}
	size := len(a.body) + len(p.Payload)
	switch {
	case m.Aborted:
		c.pending -= len(a.body)
		*a = assembly{}
		c.counted(l, false)
		return nil
	case size > c.srv.cfg.MaxMessage:
		c.pending -= len(a.body)
		*a = assembly{}
		return c.endLink(l, wire.LinkErrorMessageSizeExceeded,
			"message is larger than max-message-size")
	case m.More:
		return c.gather(a, p.Payload)
	}
	payload := p.Payload
	if len(a.body) > 0 {
		payload = append(a.body, payload...)
		c.pending -= len(a.body)
	}
	id, settled := a.id, a.settled
	*a = assembly{}
	if !c.counted(l, !settled) {
		return c.endLink(l, wire.LinkErrorTransferLimitExceeded, "no credit is left")
	}
	return c.publish(l, id, settled, payload)
}

// gone reports whether the link was ended from this side.
func (c *conn) gone(l *link) bool {
	c.out.Lock()
	defer c.out.Unlock()
	return l.detached
}

// check compares a frame with those of the same message before it.
func (a *assembly) check(m *wire.Transfer) error {
	switch {
	case m.MessageFormat.Value != 0:
		return refuse(SessionScope, wire.AmqpErrorNotImplemented,
			"message-format %d is not implemented", m.MessageFormat.Value)
	case m.Resume:
		return refuse(SessionScope, wire.AmqpErrorNotImplemented, "Link recovery not supported")
	case !a.under && !m.DeliveryID.Set:
		return refuse(SessionScope, wire.AmqpErrorInvalidField,
			"the first transfer of a message without delivery-id")
	case a.under && m.DeliveryID.Set && m.DeliveryID.Value != a.id:
		return refuse(SessionScope, wire.AmqpErrorInvalidField,
			"delivery-id of a multi-transfer message changes from %d to %d",
			a.id, m.DeliveryID.Value)
	case len(m.DeliveryTag) > 32:
		return refuse(SessionScope, wire.AmqpErrorInvalidField,
			"delivery-tag of %d octets", len(m.DeliveryTag))
	}
	if !a.under {
		a.under, a.id = true, m.DeliveryID.Value
	}
	a.settled = a.settled || m.Settled
	return nil
}

// gather keeps a part of a message.
func (c *conn) gather(a *assembly, payload []byte) error {
	if c.pending+len(payload) > c.srv.cfg.MaxPending {
		return refuse(ConnectionScope, wire.AmqpErrorResourceLimitExceeded,
			"incomplete messages on this connection exceed %d octets", c.srv.cfg.MaxPending)
	}
	if a.body == nil {
		a.body = make([]byte, 0, min(2*len(payload), growBody))
	}
	a.body = append(a.body, payload...)
	c.pending += len(payload)
	return nil
}

// counted takes one from the credit of a sender; it reports whether there was any.
func (c *conn) counted(l *link, undecided bool) bool {
	c.out.Lock()
	defer c.out.Unlock()
	if l.credit == 0 {
		return false
	}
	l.deliveryCount++
	l.credit--
	if undecided {
		l.unconfirmed++
	}
	c.grant(l)
	return true
}

// endLink ends a link for an error of its client. What was sent before is worked off.
func (c *conn) endLink(l *link, condition, text string) error {
	err := c.flush()
	c.detachLink(l, condition, text)
	return err
}
