package amqp091

import (
	"errors"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// channel is one channel. Its fields belong to the reader but for the last
// ones.
type channel struct {
	number    uint16
	id        uint32 // unique in the connection
	closing   bool   // channel.close was sent; nothing but its end is heard
	lastQueue string // the queue that an empty name stands for
	prefetch  int    // of consumers to come; 0: no limit
	confirm   bool
	published uint64 // sequence number of the last publish in confirm mode
	limit     *broker.Limit
	limited   bool         // limit has a bound
	tx        *transaction // nil: the channel has none
	content   assembly
	route     route
	round     uint64 // the read with its last method
	left      func() // tells the engine that the channel has ended

	// guarded by conn.out:
	lastTag   uint64 // of deliveries
	unacked   unacked
	confirms  confirms
	consumers map[string]*consumer // by tag
	reply     *replyConsumer       // nil: none; set by the reader
	traces    traces

	shown shownChannel
}

// consumer is one consumer of a channel.
type consumer struct {
	ref     uint64 // unique in the connection
	tag     []byte
	channel *channel
	noAck   bool
	noWait  bool

	prefetch  int
	exclusive bool
	arguments []byte // encoded, to be shown; nil: none, or more than is kept

	// guarded by conn.out:
	handle    *broker.Consumer // set by the reader; nil until the broker has it
	announced bool             // consume-ok was sent
}

// channelFrame handles a frame of a channel that is open or not yet there. The
// method of an error is the one it is about.
func (c *conn) channelFrame(ch *channel, f wire.Frame) (wire.MethodID, error) {
	if ch == nil {
		return c.openChannel(f)
	}
	c.heard(ch)
	switch ch.content.stage {
	case wantHeader:
		return wire.IDBasicPublish, c.contentHeader(ch, f)
	case wantBody:
		return wire.IDBasicPublish, c.contentBody(ch, f)
	}
	if f.Type != wire.FrameMethod {
		return 0, refuse(wire.UnexpectedFrame,
			"expected method frame, got non method frame instead")
	}
	m, err := c.dec.Method(f.Payload)
	if err != nil {
		return wire.PeekMethod(f.Payload), err
	}
	return m.ID(), c.method(ch, m)
}

// openChannel handles the first frame of a channel.
func (c *conn) openChannel(f wire.Frame) (wire.MethodID, error) {
	if f.Type != wire.FrameMethod {
		return 0, refuse(wire.UnexpectedFrame,
			"expected method frame, got non method frame instead")
	}
	m, err := wire.ParseMethod(f.Payload)
	if err != nil {
		return wire.PeekMethod(f.Payload), err
	}
	if m.ID() != wire.IDChannelOpen {
		return m.ID(), refuse(wire.ChannelError, "expected 'channel.open'")
	}
	if len(c.channels) >= int(c.channelMax) {
		return m.ID(), refuse(wire.NotAllowed,
			"number of channels opened (%d) has reached the negotiated channel_max (%d)",
			len(c.channels), c.channelMax)
	}
	left, err := c.admitChannel()
	if err != nil {
		return m.ID(), err
	}
	c.lastID = (c.lastID + 1) & (1<<(64-sequenceBits) - 1)
	ch := &channel{
		number: f.Channel, id: c.lastID, consumers: map[string]*consumer{},
		limit: broker.NewLimit(0), left: left,
	}
	c.channels[f.Channel] = ch
	c.heard(ch)
	c.out.Lock()
	c.byID[ch.id] = ch
	c.srv.roster.channelsOpened.Add(1)
	c.out.Unlock()
	c.out.send(ch.number, &wire.ChannelOpenOk{})
	return 0, nil
}

// closeChannel closes a channel for an error of its client, which is told why.
func (c *conn) closeChannel(ch *channel, r *refusal, id wire.MethodID) {
	if err := c.release(ch); err != nil {
		c.closeConnection(asRefusal(err), id)
		return
	}
	ch.closing = true
	text := r.Error()
	c.srv.cfg.Events.failed(c.client, ch.number, r.code, text)
	c.out.send(ch.number, &wire.ChannelClose{
		ReplyCode: r.code, ReplyText: text, ClassID: id.Class(), MethodID: id.Method(),
	})
}

// channelClosing handles a frame of a channel after channel.close was sent.
func (c *conn) channelClosing(ch *channel, f wire.Frame) {
	if f.Type != wire.FrameMethod {
		return
	}
	switch wire.PeekMethod(f.Payload) {
	case wire.IDChannelClose:
		c.out.send(ch.number, &wire.ChannelCloseOk{})
	case wire.IDChannelCloseOk:
		delete(c.channels, ch.number)
	}
}

// release ends the channel's consumers and puts back what it has not settled.
func (c *conn) release(ch *channel) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.pending -= len(ch.content.body)
	ch.content = assembly{}
	c.forgetTx(ch)
	c.endReplies(ch)
	c.out.Lock()
	var waiting, active []*consumer
	for _, cons := range ch.consumers {
		if cons.handle.Active() {
			active = append(active, cons)
		} else {
			waiting = append(waiting, cons)
		}
	}
	c.out.Unlock()
	var failed error
	for _, cons := range append(waiting, active...) { // none is to follow one that leaves
		end := c.session.Cancel
		if cons.single() {
			end = c.session.Abandon // before another follows
		}
		if err := end(c.ctx, cons.handle); ignoreGone(err) != nil {
			failed = err
		}
	}
	c.out.Lock()
	c.out.Settled()
	c.forget(ch)
	for _, cons := range ch.consumers {
		delete(c.consumers, cons.ref)
	}
	clear(ch.consumers)
	c.settles, _ = ch.unacked.take(c.settles, 0, true, broker.Release)
	c.out.Unlock()
	return errors.Join(failed, c.flush())
}

// single reports whether it may be the only one that gets deliveries of its queue,
// and holds them.
func (cons *consumer) single() bool {
	return !cons.noAck && cons.handle.Queue().Spec().SingleActive
}

// method handles a method without content on an open channel.
func (c *conn) method(ch *channel, m wire.Method) error {
	switch m := m.(type) {
	case *wire.BasicPublish:
		return c.publish(ch, m)
	case *wire.BasicAck:
		return c.settle(ch, m.DeliveryTag, m.Multiple, broker.Accept)
	case *wire.BasicReject:
		return c.settle(ch, m.DeliveryTag, false, outcome(m.Requeue))
	case *wire.BasicNack:
		return c.settle(ch, m.DeliveryTag, m.Multiple, outcome(m.Requeue))
	}
	// What follows is answered, and sees what was gathered before.
	if err := c.flush(); err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return refuse(wire.ChannelError, "second 'channel.open' seen")
	case *wire.ChannelClose:
		return c.endChannel(ch)
	case *wire.ChannelFlow:
		return c.flow(ch, m)
	case *wire.ConfirmSelect:
		return c.confirmSelect(ch, m)
	case *wire.ExchangeDeclare:
		return c.declareExchange(ch, m)
	case *wire.ExchangeDelete:
		return c.deleteExchange(ch, m)
	case *wire.QueueDeclare:
		return c.declareQueue(ch, m)
	case *wire.QueueDelete:
		return c.deleteQueue(ch, m)
	case *wire.QueuePurge:
		return c.purgeQueue(ch, m)
	case *wire.QueueBind:
		return c.bind(ch, m)
	case *wire.QueueUnbind:
		return c.unbind(ch, m)
	case *wire.BasicQos:
		return c.qos(ch, m)
	case *wire.BasicConsume:
		return c.consume(ch, m)
	case *wire.BasicCancel:
		return c.cancelConsumer(ch, m)
	case *wire.BasicGet:
		return c.get(ch, m)
	case *wire.BasicRecover:
		return c.redeliver(ch, m.Requeue, true)
	case *wire.BasicRecoverAsync:
		return c.redeliver(ch, m.Requeue, false)
	case *wire.ExchangeBind:
		return c.bindExchange(ch, m)
	case *wire.ExchangeUnbind:
		return c.unbindExchange(ch, m)
	case *wire.TxSelect:
		return c.txSelect(ch)
	case *wire.TxCommit:
		return c.txCommit(ch)
	case *wire.TxRollback:
		return c.txRollback(ch)
	}
	return refuse(wire.CommandInvalid, "unimplemented method")
}

// endChannel answers channel.close.
func (c *conn) endChannel(ch *channel) error {
	if err := c.release(ch); err != nil {
		return err
	}
	delete(c.channels, ch.number)
	c.out.send(ch.number, &wire.ChannelCloseOk{})
	return nil
}

// flow answers channel.flow; like RabbitMQ it cannot stop deliveries by it.
func (c *conn) flow(ch *channel, m *wire.ChannelFlow) error {
	if !m.Active {
		return refuse(wire.NotImplemented, "active=false")
	}
	c.out.send(ch.number, &wire.ChannelFlowOk{Active: true})
	return nil
}

// confirmSelect puts the channel into confirm mode.
func (c *conn) confirmSelect(ch *channel, m *wire.ConfirmSelect) error {
	if ch.tx != nil {
		return refuse(wire.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirm = true
	ch.shown.confirm.Store(true)
	if !m.NoWait {
		c.out.send(ch.number, &wire.ConfirmSelectOk{})
	}
	return nil
}
