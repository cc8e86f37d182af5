package amqp10

import (
	"slices"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/seal"
	"coffer/internal/telemetry/trace"
)

// ContentFormat is [broker.Content]'s Format for messages of AMQP 1.0: Header holds the
// sections header and message-annotations as they came, Body the bare message and the
// footer.
const ContentFormat = 2

// Bounds of what is gathered before the broker gets it.
const (
	gatherCount = 1024
	gatherBytes = 1 << 20
)

// gathered is work of one read for the session.
type gathered struct {
	pubs    []broker.Publishing
	bytes   int        // in them
	marks   []incoming // of them, in order
	settles []broker.Settlement
	targets []*broker.Queue // arena of the targets of pubs
	meta    []byte          // Content.Header of the message in hand
	guide   broker.Guide    // of it
	led     bool            // lead is that of the message in hand
	passing passing
	lead    broker.Guide
}

// newGuide gives what leads the message in hand, which is found out when it is asked
// for the first time.
func (c *conn) newGuide() broker.Guide {
	lead := func() *broker.Guide {
		if !c.led && c.srv.cfg.Lead != nil {
			c.lead = c.srv.cfg.Lead(broker.Content{
				Format: ContentFormat, Header: c.stored(), Body: c.message.Bare.Encoded,
			}, nil)
		}
		c.led = true
		return &c.lead
	}
	return broker.Guide{
		Match: func(b broker.Binding) bool {
			if g := lead(); g.Match != nil {
				return g.Match(b)
			}
			return b.Kind != broker.Matched
		},
		Hash: func(x broker.Address) ([]byte, bool) {
			if g := lead(); g.Hash != nil {
				return g.Hash(x)
			}
			return nil, false
		},
	}
}

// incoming is a message that the broker has not decided.
type incoming struct {
	link    *link
	id      uint32
	settled bool // nobody hears of it
	span    *trace.Span
}

// route is where a link sent to last, as it was then. Names are kept so that sending
// to the same place again allocates nothing.
type route struct {
	exchange string
	key      string
	topology *broker.Topology // in which the exchange was found
	counts   *broker.AddressCounts
	round    uint64 // the read in which the user was permitted to write
	// The read in which it was found out whether keys are looked at.
	keysRound uint64
	keysKept  bool
}

// publish sends a complete message on its way. payload is not kept.
func (c *conn) publish(l *link, id uint32, settled bool, payload []byte) error {
	in := incoming{link: l, id: id, settled: settled}
	if l.management {
		return c.answer(l, in, payload)
	}
	if err := c.message.Parse(payload); err != nil {
		return err
	}
	c.properties = wire.Properties{}
	if p := c.message.Bare.Properties; p != nil {
		if err := c.properties.Parse(p); err != nil {
			return err
		}
	}
	c.header = wire.Header{Durable: true} // without a section, as in RabbitMQ
	if h := c.message.Header; h != nil {
		if err := c.header.Parse(h); err != nil {
			return err
		}
	}
	user := c.properties.UserID
	if user != nil && string(user) != c.client.User && !c.impersonates() {
		return refuse(SessionScope, wire.AmqpErrorUnauthorizedAccess,
			"user_id property set to '%s' but authenticated user was '%s'", user, c.client.User)
	}
	topology := c.namespace.Topology()
	lost := c.aim(l, topology)
	if lost == nil {
		lost = c.copies(l)
	}
	if lost != nil {
		return c.refuseMessage(in, lost)
	}
	c.tallied.published++
	if !settled {
		c.tallied.unsettled++
	}
	from, count := len(c.targets), len(c.pubs)
	c.led = false
	c.targets, _ = topology.RouteBy(c.targets, l.route.exchange, l.route.key, &c.guide)
	c.passed(l.route.counts, len(c.targets)-from)
	if len(c.targets) == from {
		c.tallied.unroutable++
		return c.decide(in, c.released)
	}
	targets := c.targets[from:len(c.targets):len(c.targets)]
	err := c.seal(in, targets)
	if len(c.pubs) == count && len(c.targets) > from {
		c.targets = c.targets[:from]
	}
	return err
}

// aim finds where the message in hand goes and whether it may.
func (c *conn) aim(l *link, topology *broker.Topology) error {
	exchange, key := l.target.exchange, l.target.key
	if l.target.anonymous {
		to, isText := c.properties.To.Text()
		if !isText {
			return refuse(LinkScope, wire.AmqpErrorPreconditionFailed,
				"anonymous terminus requires 'to' address to be set")
		}
		t, ok, v2 := parseTargetV2(string(to))
		if !ok || !v2 {
			return refuse(LinkScope, wire.AmqpErrorPreconditionFailed,
				"bad 'to' address string: %s", to)
		}
		exchange, key = t.exchange, t.key
	}
	if l.target.subject {
		if string(c.properties.Subject) != l.route.key {
			l.route.key = string(c.properties.Subject)
		}
	} else {
		l.route.key = key
	}
	if err := c.mayPublish(&l.route, exchange, topology); err != nil {
		return err
	}
	return c.mayUseKey(&l.route)
}

// mayPublish checks that the exchange is there for this user. What was found is
// good until the topology changes; what was permitted, until the next read.
func (c *conn) mayPublish(r *route, exchange string, topology *broker.Topology) error {
	if r.exchange != exchange {
		*r = route{exchange: exchange, key: r.key}
	}
	if r.round != c.round {
		if err := c.permit(kindExchange, r.exchange, write); err != nil {
			return err
		}
		r.round = c.round
	}
	switch {
	case r.topology == topology:
		return nil
	case r.exchange == "":
		r.topology, r.counts = topology, c.namespace.DefaultCounts()
		return nil
	}
	x, ok := topology.Address(r.exchange)
	if !ok {
		return c.missing(kindExchange, r.exchange)
	}
	if x.Internal {
		return refuse(SessionScope, wire.AmqpErrorUnauthorizedAccess,
			"forbidden to publish to internal %s", c.named(kindExchange, r.exchange))
	}
	r.topology, r.counts = topology, x.Counts
	return nil
}

// refuseMessage tells that a message cannot go where it should: an anonymous sender
// may go on, for another it is the end of the session or, when the exchange was
// deleted, of the link, as in RabbitMQ.
func (c *conn) refuseMessage(in incoming, lost error) error {
	r := asRefusal(lost)
	switch {
	case in.link.target.anonymous && !in.settled:
		return c.decide(in, encodeRejected(r.condition, r.text))
	case in.link.target.anonymous || r.condition == wire.AmqpErrorNotFound:
		if err := c.decide(in, c.released); err != nil {
			return err
		}
		return c.endLink(in.link, r.condition, r.text)
	}
	return lost
}

// seal seals the message in hand and gathers it for its queues.
func (c *conn) seal(in incoming, targets []*broker.Queue) error {
	content := broker.Content{
		Format: ContentFormat, Header: c.stored(), Body: c.message.Bare.Encoded,
	}
	m, err := c.namespace.Seal(nil, content, seal.Facts{})
	for in.settled && fault.KindOf(err) == fault.Exhausted && c.room() != nil {
		targets = slices.Clone(targets) // flushing reuses their memory
		if on, err := c.awaitRoom(); !on {
			return err
		}
		m, err = c.namespace.Seal(nil, content, seal.Facts{})
	}
	if err != nil {
		return c.unsealed(in, err)
	}
	m.Durable, m.Priority = c.header.Durable, c.header.Priority.Or(0)
	m.Address, m.Key = in.link.route.exchange, in.link.route.key
	m.Copies = slices.Clone(c.guide.Keys[:min(len(c.guide.Keys), broker.MaxCopies)])
	if c.header.TTL.Set {
		m.Expiry = broker.AtMost(int64(c.header.TTL.Value))
	}
	p := broker.Publishing{Message: m, Targets: targets}
	if !in.settled {
		p.Confirm, in.span = true, c.tracePublish()
		c.marks = append(c.marks, in)
	}
	c.pubs = append(c.pubs, p)
	c.bytes += int(m.Weight())
	return c.relieve()
}

// stored gives what of the message in hand stands before the bare message and is kept.
func (c *conn) stored() []byte {
	c.meta = c.meta[:0]
	if c.message.Header != nil {
		c.meta = wire.AppendDescriptor(c.meta, wire.CodeHeader)
		c.meta = append(c.meta, c.message.Header...)
	}
	if c.message.Annotations != nil {
		c.meta = wire.AppendDescriptor(c.meta, wire.CodeMessageAnnotations)
		c.meta = append(c.meta, c.message.Annotations...)
	}
	return c.meta
}

// unsealed refuses a message for which there is no key or no room now.
func (c *conn) unsealed(in incoming, err error) error {
	switch fault.KindOf(err) {
	case fault.KeyUnavailable, fault.Unavailable, fault.Exhausted:
		return c.decide(in, outcomeOf(err))
	case fault.Invalid:
		return c.endLink(in.link, wire.LinkErrorMessageSizeExceeded, publicText(err))
	}
	return err
}

// decide tells what became of a message that the broker does not get.
func (c *conn) decide(in incoming, state wire.Raw) error {
	if in.settled {
		return nil
	}
	c.out.Lock()
	defer c.out.Unlock()
	in.link.unconfirmed--
	c.out.append(wire.FrameAMQP, in.link.session.channel, &wire.Disposition{
		Role: wire.RoleReceiver, First: in.id, Settled: !in.link.second, State: state,
	})
	c.grant(in.link)
	c.out.Notify()
	c.out.Wait()
	return nil
}

// relieve hands over what was gathered when it is much.
func (c *conn) relieve() error {
	if c.bytes < gatherBytes && len(c.pubs) < gatherCount && len(c.settles) < gatherCount {
		return nil
	}
	return c.flush()
}

// flush hands what was gathered to the session: messages, then settlements. It waits
// while the broker has too much of this connection already.
func (c *conn) flush() error {
	c.tellTallied()
	if c.session == nil {
		return nil
	}
	var err error
	c.passing.tell()
	if len(c.pubs) > 0 {
		c.out.Lock()
		c.waiting = append(c.waiting, c.marks...)
		c.out.Wait()
		c.out.Unlock()
		clear(c.marks)
		c.marks = c.marks[:0]
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
