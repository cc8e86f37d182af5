package amqp091

import (
	"slices"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/seal"
)

// Bounds of what is gathered before the broker gets it.
const (
	gatherCount = 1024
	gatherBytes = 1 << 20
)

// gathered is work of one read for the session.
type gathered struct {
	pubs    []broker.Publishing
	bytes   int    // in them
	marks   []mark // confirms to expect, in order
	settles []broker.Settlement
	passing passing
	targets []*broker.Queue // arena of the targets of pubs

	life broker.Bound // the time to live of the message in hand
	also []string     // its further routing keys
}

// mark is a publish in confirm mode.
type mark struct {
	channel *channel
	verdict verdict // undecided: the session will tell
}

// route is where a channel published to last, as it was then. Names are kept so
// that publishing to the same place again allocates nothing.
type route struct {
	exchange string
	key      string
	topology *broker.Topology // in which the exchange was found
	round    uint64           // the read in which the user was permitted to write
	answers  bool             // the key is a name for answers
	counts   *broker.AddressCounts

	topic     bool   // the exchange is one of topics
	keysRound uint64 // the read in which keysKept was found out
	keysKept  bool   // the keys are looked at
}

// publish handles basic.publish; its content follows.
func (c *conn) publish(ch *channel, m *wire.BasicPublish) error {
	if m.Immediate {
		return refuse(wire.NotImplemented, "immediate=true")
	}
	r := &ch.route
	if string(m.Exchange) != r.exchange {
		*r = route{exchange: string(m.Exchange), key: r.key, answers: r.answers}
	}
	if string(m.RoutingKey) != r.key {
		r.key = string(m.RoutingKey)
		r.answers = strings.HasPrefix(r.key, replyPrefix)
	}
	ch.content.mandatory = m.Mandatory
	ch.content.stage = wantHeader
	return nil
}

// message publishes a complete message. header and body are not kept.
func (c *conn) message(ch *channel, header, body []byte) error {
	topology := c.namespace.Topology()
	if err := c.mayPublish(&ch.route, topology); err != nil {
		return err
	}
	if err := c.props.Parse(header); err != nil {
		return err
	}
	header, err := c.prepare(ch, header)
	if err == nil && len(c.also) > 0 {
		err = c.mayUseCopies(&ch.route)
	}
	if err == nil {
		err = c.checkUser(&c.props)
	}
	if err != nil {
		return err
	}
	c.countPublish(ch)
	from, gathered := len(c.targets), len(c.pubs)
	c.guide.Keys = c.also
	c.targets, _ = topology.RouteBy(c.targets, ch.route.exchange, ch.route.key, &c.guide)
	c.headers.forget()
	c.countRoute(ch, len(c.targets)-from)
	targets := c.targets[from:len(c.targets):len(c.targets)]
	err = c.lead(ch, header, body, targets)
	if len(c.pubs) == gathered && len(c.targets) > from {
		c.targets = c.targets[:from] // it was refused, or a transaction has copies
	}
	return err
}

// lead gives a message to those who wait for answers and to queues.
func (c *conn) lead(ch *channel, header, body []byte, targets []*broker.Queue) error {
	if c.answers(&ch.route) {
		// As in RabbitMQ an answer is no route: who insists on one gets it back, too.
		if err := c.answer(ch, header, body); err != nil {
			return c.unsealed(ch, err)
		}
	}
	if len(targets) == 0 {
		return c.unroutable(ch, header, body)
	}
	return c.route(ch, header, body, targets)
}

// prepare reads the time to live and the further keys of the message in hand, and
// gives its header as it travels. The order of checks is that of RabbitMQ 4.
func (c *conn) prepare(ch *channel, header []byte) (_ []byte, err error) {
	if c.also = nil; c.props.Has(wire.FlagReplyTo) && string(c.props.ReplyTo) == directReplyTo {
		if header, err = c.askDirectly(ch); err != nil {
			return nil, err
		}
	}
	if err := c.checkLife(&c.props); err != nil {
		return nil, err
	}
	if c.props.Has(wire.FlagHeaders) {
		return c.copies(header)
	}
	return header, nil
}

// mayPublish checks that the exchange is there for this user. What was found is
// good until the topology changes; what was permitted, until the next read.
func (c *conn) mayPublish(r *route, topology *broker.Topology) error {
	if r.round != c.round {
		if err := c.permit(ExchangeResource, r.exchange, Write); err != nil {
			return err
		}
		r.round = c.round
	}
	if r.exchange == "" {
		r.counts = c.namespace.DefaultCounts()
		return nil
	}
	if r.topology == topology {
		if r.topic {
			return c.mayUseKey(r)
		}
		return nil
	}
	x, ok := topology.Address(r.exchange)
	if !ok {
		return c.missing(ExchangeResource, r.exchange)
	}
	if x.Internal {
		return refuse(wire.AccessRefused, "cannot publish to internal %s",
			c.named(ExchangeResource, r.exchange))
	}
	r.topology, r.counts = topology, x.Counts
	if r.topic = x.Kind == broker.Pattern; r.topic {
		return c.mayUseKey(r)
	}
	return nil
}

// checkUser refuses a name that the user may not publish in.
func (c *conn) checkUser(p *wire.Properties) error {
	if p.Has(wire.FlagUserID) && string(p.UserID) != c.client.User && !c.impersonates() {
		return refuse(wire.PreconditionFailed,
			"user_id property set to '%s' but authenticated user was '%s'",
			p.UserID, c.client.User)
	}
	return nil
}

// checkLife reads the time to live.
func (c *conn) checkLife(p *wire.Properties) error {
	c.life = broker.Bound{}
	if !p.Has(wire.FlagExpiration) {
		return nil
	}
	var wrong string
	if c.life, wrong = lifetime(p.Expiration); wrong != "" {
		return refuse(wire.PreconditionFailed, "invalid expiration '%s': %s",
			p.Expiration, wrong)
	}
	return nil
}

// unroutable returns or drops a message that no queue wants. It is confirmed,
// after the return.
func (c *conn) unroutable(ch *channel, header, body []byte) error {
	c.countUnroutable(ch)
	if ch.content.mandatory {
		m := wire.BasicReturn{
			ReplyCode: wire.NoRoute, ReplyText: []byte(wire.NoRoute.String()),
			Exchange: []byte(ch.route.exchange), RoutingKey: []byte(ch.route.key),
		}
		payload := appendHeader(nil, &broker.Content{Header: header, Body: body})
		if ch.tx != nil {
			var err error
			from := len(ch.tx.returns)
			ch.tx.returns, err = wire.AppendReturn(
				ch.tx.returns, ch.number, &m, payload, body, c.frameMax)
			if err != nil {
				return err
			}
			return c.holdTx(ch, len(ch.tx.returns)-from)
		}
		c.out.Lock()
		buf, err := wire.AppendReturn(c.out.Buf, ch.number, &m, payload, body, c.frameMax)
		c.out.Buf = buf
		c.out.Notify()
		c.out.Wait()
		c.out.Unlock()
		if err != nil {
			return err
		}
	}
	return c.expect(ch, accepted)
}

// route seals a message and gathers it for its queues.
func (c *conn) route(ch *channel, header, body []byte, targets []*broker.Queue) error {
	content := broker.Content{Format: ContentFormat, Header: header, Body: body}
	m, err := c.namespace.Seal(nil, content, seal.Facts{})
	for !ch.confirm && fault.KindOf(err) == fault.Exhausted && c.room() != nil {
		targets = slices.Clone(targets) // flushing reuses their memory
		if on, err := c.awaitRoom(); !on {
			return err
		}
		m, err = c.namespace.Seal(nil, content, seal.Facts{})
	}
	if err != nil {
		return c.unsealed(ch, err)
	}
	m.Durable = c.props.Has(wire.FlagDeliveryMode) && c.props.DeliveryMode == 2
	m.Address, m.Key = ch.route.exchange, ch.route.key
	if c.props.Has(wire.FlagPriority) {
		m.Priority = c.props.Priority
	}
	m.Expiry, m.Copies = c.life, slices.Clone(c.also[:min(len(c.also), broker.MaxCopies)])
	p := broker.Publishing{Message: m, Targets: targets}
	if ch.tx != nil {
		return c.gatherTx(ch, p)
	}
	if ch.confirm {
		p.Confirm, p.Tag = true, joinTag(ch.id, ch.published+1)
		c.mark(ch, undecided)
		c.tracePublish(ch, len(body))
	}
	c.pubs = append(c.pubs, p)
	c.bytes += int(m.Weight())
	return c.relieve()
}

// unsealed refuses a publish for which there is no key or no room now.
func (c *conn) unsealed(ch *channel, err error) error {
	switch fault.KindOf(err) {
	case fault.KeyUnavailable, fault.Unavailable, fault.Exhausted:
		if ch.confirm {
			return c.expect(ch, rejected)
		}
	}
	return err
}

// expect notes a publish that is decided already, in confirm mode.
func (c *conn) expect(ch *channel, v verdict) error {
	if !ch.confirm {
		return nil
	}
	c.mark(ch, v)
	return c.relieve()
}

func (c *conn) mark(ch *channel, v verdict) {
	ch.published++
	c.marks = append(c.marks, mark{ch, v})
}

// relieve hands over what was gathered when it is much.
func (c *conn) relieve() error {
	if c.bytes < gatherBytes && len(c.pubs) < gatherCount && len(c.marks) < gatherCount &&
		len(c.settles) < gatherCount {
		return nil
	}
	return c.flush()
}

// flush hands what was gathered to the session: publishes, then settlements.
// It waits while the broker has too much of this connection already.
func (c *conn) flush() error {
	c.passing.tell()
	if len(c.marks) > 0 {
		c.expectAll()
	}
	if c.session == nil {
		return nil
	}
	var err error
	if len(c.pubs) > 0 {
		err = c.session.Publish(c.ctx, c.pubs)
		clear(c.pubs)
		clear(c.targets)
		c.pubs, c.targets, c.bytes = c.pubs[:0], c.targets[:0], 0
	}
	if len(c.settles) > 0 {
		c.session.Settle(c.settles)
		c.settles = c.settles[:0]
	}
	return err
}

// expectAll enters the gathered marks, before the session can decide them, and
// tells the client what needs no decision.
func (c *conn) expectAll() {
	c.out.Lock()
	defer c.out.Unlock()
	for _, m := range c.marks {
		m.channel.confirms.expect(m.verdict)
	}
	for i, m := range c.marks {
		last := i+1 == len(c.marks) || c.marks[i+1].channel != m.channel
		if last && m.channel.confirms.ready() {
			c.out.Buf = m.channel.confirms.tell(c.out.Buf, m.channel.number)
			c.out.Notify()
		}
	}
	clear(c.marks)
	c.marks = c.marks[:0]
	c.out.Wait()
}
