package amqp10

import (
	"strings"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// attach answers the beginning of a link.
func (c *conn) attach(s *session, fields wire.Raw) error {
	var m wire.Attach
	if err := m.Parse(fields); err != nil {
		return err
	}
	switch {
	case s.links[m.Handle] != nil:
		return refuse(SessionScope, wire.SessionErrorHandleInUse,
			"handle %d is in use", m.Handle)
	case m.Handle > s.handleMax:
		return refuse(ConnectionScope, wire.ConnectionErrorFramingError,
			"link handle value (%d) exceeds maximum link handle value (%d)",
			m.Handle, s.handleMax)
	}
	l := &link{session: s, handle: m.Handle, name: string(m.Name)}
	err := c.attachLink(l, &m)
	if err == nil {
		return nil
	}
	r := asRefusal(err)
	if r.condition == wire.AmqpErrorInternalError {
		return err
	}
	c.refuseLink(l, &m, r)
	return nil
}

// refuseLink answers an attach with one that has no terminus, and ends the link with
// the reason. RabbitMQ ends the session; many clients only look at the link.
func (c *conn) refuseLink(l *link, m *wire.Attach, r *refusal) {
	c.srv.cfg.Events.failed(c.client, &refusal{condition: r.condition, text: r.text})
	answer := wire.Attach{
		Name: m.Name, Handle: l.handle, Role: !m.Role, SndSettleMode: m.SndSettleMode,
		RcvSettleMode: m.RcvSettleMode, Source: m.Source, Target: m.Target,
	}
	if l.sender = m.Role == wire.RoleSender; l.sender {
		answer.Target = nil
	} else {
		answer.Source, answer.InitialDeliveryCount = nil, wire.Some(uint32(0))
	}
	c.out.Lock()
	defer c.out.Unlock()
	l.detached = true
	l.session.links[l.handle] = l
	c.out.append(wire.FrameAMQP, l.session.channel, &answer)
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Detach{
		Handle: l.handle, Closed: true, Error: r.encode(),
	})
	c.out.Notify()
}

// attachLink begins a link or says why not.
func (c *conn) attachLink(l *link, m *wire.Attach) error {
	code, target, _ := m.Target.Described()
	switch {
	case code == wire.CodeCoordinator:
		return refuse(SessionScope, wire.AmqpErrorNotImplemented, "Transactions not supported")
	case m.Unsettled != nil && hasPairs(m.Unsettled) || m.IncompleteUnsettled:
		return refuse(SessionScope, wire.AmqpErrorNotImplemented, "Link recovery not supported")
	case m.SndSettleMode > wire.SenderSettleModeMixed,
		m.RcvSettleMode > wire.ReceiverSettleModeSecond:
		return refuse(SessionScope, wire.AmqpErrorInvalidField, "unknown settle mode")
	}
	if m.Role == wire.RoleReceiver {
		return c.attachReceiver(l, m)
	}
	return c.attachSender(l, m, code, target)
}

func hasPairs(m wire.Raw) (yes bool) {
	m.Pairs(func(_, _ wire.Raw) bool {
		yes = true
		return false
	})
	return yes
}

// badAddress is the answer for an address that means nothing.
func badAddress(address wire.Raw) *refusal {
	text, ok := address.Text()
	if !ok {
		return refuse(SessionScope, wire.AmqpErrorInvalidField, "Attach rejected: bad address")
	}
	return refuse(SessionScope, wire.AmqpErrorInvalidField,
		"Attach rejected: bad address '%s'", text)
}

// attachSender begins a link on which the client sends.
func (c *conn) attachSender(l *link, m *wire.Attach, code wire.Code, fields wire.Raw) error {
	var t wire.Target
	if code == wire.CodeTarget {
		if err := t.Parse(fields); err != nil {
			return err
		}
	} else if !m.Target.IsNull() {
		return badAddress(nil)
	}
	if !m.InitialDeliveryCount.Set {
		return refuse(SessionScope, wire.AmqpErrorInvalidField,
			"attach of a sender without initial-delivery-count")
	}
	if t.Dynamic {
		if err := c.dynamicTarget(l, m, &t); err != nil {
			return err
		}
	} else if t.Address.IsNull() {
		l.target.anonymous = true
	} else if c.isManagement(t.Address) {
		if l.management = paired(m); !l.management {
			return unpaired()
		}
	} else {
		text, isText := t.Address.Text()
		target, ok := parseTarget(string(text))
		if !isText || !ok {
			return badAddress(t.Address)
		}
		l.target = target
		if err := c.ensureTarget(l); err != nil {
			return err
		}
	}
	l.sender, l.deliveryCount = true, m.InitialDeliveryCount.Value
	l.second = m.RcvSettleMode == wire.ReceiverSettleModeSecond
	c.out.Lock()
	defer c.out.Unlock()
	l.session.links[l.handle] = l
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Attach{
		Name: m.Name, Handle: l.handle, Role: wire.RoleReceiver,
		SndSettleMode: m.SndSettleMode, RcvSettleMode: m.RcvSettleMode,
		Source: m.Source, Target: m.Target,
		MaxMessageSize: wire.Some(uint64(c.srv.cfg.MaxMessage)), Properties: answered(l, m),
	})
	c.full = c.room() != nil // the writer may not have heard of it yet
	c.grant(l)
	c.out.Notify()
	return nil
}

// dynamicTarget makes a queue that a link sends to and that goes with it. JMS's
// temporary queues are such.
func (c *conn) dynamicTarget(l *link, m *wire.Attach, t *wire.Target) error {
	name := generate()
	if err := c.permit(kindQueue, name, configure); err != nil {
		return err
	}
	q, _, err := c.namespace.DeclareQueue(c.ctx, c.session,
		broker.QueueSpec{Name: name, Exclusive: true})
	if err != nil {
		return err
	}
	l.own, l.target = q, target{key: name, queue: name}
	t.Address = wire.AppendString(nil, queueAddress(name))
	m.Target = t.Append(nil)
	return nil
}

// answered are the properties that the answer to an attach has.
func answered(l *link, m *wire.Attach) wire.Raw {
	if l.management {
		return m.Properties
	}
	return nil
}

// isManagement reports whether an address is that of the management node.
func (c *conn) isManagement(address wire.Raw) bool {
	text, _ := address.Text()
	return c.srv.cfg.Topology != nil && string(text) == managementNode
}

// paired reports whether a link is one of a pair, as the management node wants it.
func paired(m *wire.Attach) bool {
	yes, _ := m.Properties.Find("paired").Bool()
	return yes
}

func unpaired() *refusal {
	return refuse(SessionScope, wire.AmqpErrorPreconditionFailed,
		"expected 'paired' to be set to boolean 'true' in link properties")
}

// attachManagement begins a link on which the client receives answers.
func (c *conn) attachManagement(l *link, m *wire.Attach) error {
	if l.management = paired(m); !l.management {
		return unpaired()
	}
	c.out.Lock()
	defer c.out.Unlock()
	l.session.links[l.handle] = l
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Attach{
		Name: m.Name, Handle: l.handle, Role: wire.RoleSender,
		SndSettleMode: wire.SenderSettleModeSettled, RcvSettleMode: m.RcvSettleMode,
		Source: m.Source, Target: m.Target, MaxMessageSize: m.MaxMessageSize,
		InitialDeliveryCount: wire.Some(l.deliveryCount), Properties: m.Properties,
	})
	c.out.Notify()
	return nil
}

// ensureTarget checks where a link sends to, and declares a queue that the first
// version of addresses names.
func (c *conn) ensureTarget(l *link) error {
	t := &l.target
	if t.declare {
		if err := c.ensureQueue(t.queue); err != nil {
			return err
		}
	}
	if err := c.mayPublish(&l.route, t.exchange, c.namespace.Topology()); err != nil {
		return err
	}
	if t.queue != "" {
		if _, ok := c.namespace.Topology().Queue(t.queue); !ok {
			return c.missing(kindQueue, t.queue)
		}
	}
	return nil
}

// ensureQueue declares a durable queue unless it is there.
func (c *conn) ensureQueue(name string) error {
	if _, ok := c.namespace.Topology().Queue(name); ok {
		return nil
	}
	if strings.HasPrefix(name, "amq.") {
		return c.missing(kindQueue, name)
	}
	if err := c.permit(kindQueue, name, configure); err != nil {
		return err
	}
	want := broker.QueueSpec{Name: name, Durable: true}
	var err error
	if c.srv.cfg.Topology != nil {
		_, err = c.srv.cfg.Topology(c.ctx, c.client, c.session).DeclareQueue(want)
	} else {
		_, _, err = c.namespace.DeclareQueue(c.ctx, c.session, want)
	}
	return err
}

// attachReceiver begins a link on which the client receives.
func (c *conn) attachReceiver(l *link, m *wire.Attach) error {
	code, fields, _ := m.Source.Described()
	var src wire.Source
	if code != wire.CodeSource {
		return badAddress(nil)
	}
	if err := src.Parse(fields); err != nil {
		return err
	}
	if c.isManagement(src.Address) {
		return c.attachManagement(l, m)
	}
	if len(c.links) >= c.srv.cfg.MaxReceivers {
		return refuse(SessionScope, wire.AmqpErrorResourceLimitExceeded,
			"reached maximum (%d) of receivers per connection", c.srv.cfg.MaxReceivers)
	}
	if string(src.DistributionMode) == wire.StdDistModeCopy {
		return refuse(SessionScope, wire.AmqpErrorNotImplemented,
			"distribution-mode copy is not implemented")
	}
	q, err := c.ensureSource(&src)
	if err != nil {
		return err
	}
	c.lastRef++
	l.ref = c.lastRef
	mode := wire.SenderSettleModeUnsettled
	if l.settled = m.SndSettleMode == wire.SenderSettleModeSettled; l.settled {
		mode = wire.SenderSettleModeSettled
	}
	l.maxSize = m.MaxMessageSize.Value
	l.consumer, err = c.session.Consume(c.ctx, broker.ConsumerSpec{
		Queue: q, Ref: l.ref, Priority: consumerPriority(m.Properties),
	})
	if err != nil {
		return c.about(q.Spec().Name, err)
	}
	src.Filter = nil // none is understood, as their absence tells
	src.DefaultOutcome = (&wire.Released{}).Append(nil)
	src.Outcomes = wire.AppendSymbols(nil, "amqp:accepted:list", "amqp:rejected:list",
		"amqp:released:list", "amqp:modified:list")
	c.out.Lock()
	defer c.out.Unlock()
	l.session.links[l.handle] = l
	c.links[l.ref] = l
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Attach{
		Name: m.Name, Handle: l.handle, Role: wire.RoleSender,
		SndSettleMode: uint8(mode), RcvSettleMode: m.RcvSettleMode,
		Source: src.Append(nil), Target: m.Target, MaxMessageSize: m.MaxMessageSize,
		InitialDeliveryCount: wire.Some(l.deliveryCount),
	})
	c.out.Notify()
	return nil
}

// priorityProperty is a link's property that says which consumers get messages first.
const priorityProperty = "rabbitmq:priority"

func consumerPriority(properties wire.Raw) int32 {
	n, _ := properties.Find(priorityProperty).Integer()
	return int32(min(max(n, -1<<31), 1<<31-1))
}

// ensureSource finds or makes the queue that a link receives from.
func (c *conn) ensureSource(src *wire.Source) (*broker.Queue, error) {
	if src.Dynamic {
		name := generate()
		src.Address = wire.AppendString(nil, queueAddress(name))
		return c.ownQueue(name)
	}
	text, isText := src.Address.Text()
	from, ok := parseSource(string(text))
	if !isText || !ok {
		return nil, badAddress(src.Address)
	}
	if from.exchange != "" {
		return c.boundQueue(&from)
	}
	if from.declare {
		if err := c.ensureQueue(from.queue); err != nil {
			return nil, err
		}
	}
	if err := c.permit(kindQueue, from.queue, read); err != nil {
		return nil, err
	}
	return c.queue(from.queue)
}

// ownQueue makes a queue that goes with its link or, if that never begins, with the
// connection.
func (c *conn) ownQueue(name string) (*broker.Queue, error) {
	err := c.permit(kindQueue, name, configure)
	if err == nil {
		err = c.permit(kindQueue, name, read)
	}
	if err != nil {
		return nil, err
	}
	q, _, err := c.namespace.DeclareQueue(c.ctx, c.session,
		broker.QueueSpec{Name: name, Exclusive: true, AutoDelete: true})
	return q, err
}

// boundQueue makes a queue of the link's own that is bound to an exchange.
func (c *conn) boundQueue(from *source) (*broker.Queue, error) {
	if _, ok := c.namespace.Topology().Address(from.exchange); !ok {
		return nil, c.missing(kindExchange, from.exchange)
	}
	name := generate()
	err := c.permit(kindQueue, name, write)
	if err == nil {
		err = c.permit(kindExchange, from.exchange, read)
	}
	if err == nil {
		err = c.permitTopic(from.exchange, from.key, read)
	}
	if err != nil {
		return nil, err
	}
	q, err := c.ownQueue(name)
	if err != nil {
		return nil, err
	}
	err = c.namespace.Bind(c.ctx, broker.Binding{
		Source: from.exchange, Queue: name, Key: from.key,
	})
	return q, err
}
