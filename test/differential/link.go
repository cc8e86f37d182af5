package differential

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"coffer/internal/protocol/amqp091/wire"
)

// confirming is the channel that is in confirm mode from its beginning.
const confirming = 2

// chosen are names that brokers choose and that nothing depends on.
var chosen = regexp.MustCompile(`amq\.(ctag-[\w-]+|rabbitmq\.reply-to\.[\w.=+/-]+)`)

// broken is a term that RabbitMQ broke into lines of eighty columns.
var broken = regexp.MustCompile(`([,\[{(])\\n +`)

// link is one connection of a side.
type link struct {
	*client
	side     *side
	id       byte
	channels map[uint16]*channel
	closing  bool // connection.close was sent
	over     bool // connection.close was received, or its answer
}

// channel is what is known of one.
type channel struct {
	flows     int  // answers awaited
	asked     bool // of a fence: the answer is awaited
	opening   bool // channel.open was sent by itself
	commits   bool // tx.commit was sent: RabbitMQ takes nothing until it has answered
	closing   bool // channel.close was sent
	confirm   bool
	published uint64
	verdicts  map[uint64]string
	told      uint64              // up to where verdicts are in the log
	tags      map[string][]uint64 // of deliveries that are not settled, by source
	free      map[string]bool     // sources whose deliveries need no settlement
	message   *message
	queue     string // of a fence: what is asked about
}

// message is one that is coming.
type message struct {
	method wire.Method
	props  string
	reply  string
	left   uint64
	body   []byte
	header bool
}

func (l *link) open(number uint16) {
	l.send(method(number, &wire.ChannelOpen{}))
	l.channels[number] = &channel{
		opening: true, verdicts: map[uint64]string{}, tags: map[string][]uint64{},
		free: map[string]bool{},
	}
}

// note sees what a step will mean for its channel.
func (l *link) note(st *step) {
	ch := l.channels[st.channel]
	switch m := st.method.(type) {
	case *wire.ConnectionClose:
		l.closing = true
	case *wire.ChannelOpen:
		if ch == nil && st.channel != 0 {
			l.channels[st.channel] = &channel{
				verdicts: map[uint64]string{}, tags: map[string][]uint64{},
				free: map[string]bool{},
			}
		}
	case *wire.ChannelClose:
		if ch != nil {
			ch.closing = true
		}
	case *wire.TxCommit:
		if ch != nil {
			ch.commits = true
		}
	case *wire.BasicConsume:
		if ch != nil {
			ch.free[m.ConsumerTag] = m.NoAck
		}
	case *wire.BasicGet:
		if ch != nil {
			ch.free["get"] = m.NoAck
		}
	case *wire.BasicRecover, *wire.BasicRecoverAsync:
		if ch != nil {
			clear(ch.tags)
		}
	case *wire.ConfirmSelect:
		if ch != nil && m.NoWait {
			ch.confirm = true
		}
	case *wire.BasicPublish:
		if ch != nil && ch.confirm && st.props != nil {
			ch.published++
		}
	}
}

// flow asks each open channel for an answer that comes after everything else.
func (l *link) flow() {
	if l.closing || l.over {
		return
	}
	for n, ch := range l.channels {
		if !ch.closing && ch.queue == "" && n != markerChannel {
			l.send(method(n, &wire.ChannelFlow{Active: true}))
			ch.flows++
		}
	}
}

// ask asks about queues and exchanges, each on a channel of its own, which an error
// closes.
func (l *link) ask(queues, exchanges []string) {
	l.side.depths, l.side.shape = map[string]string{}, map[string]string{}
	number := uint16(firstFence)
	put := func(name string, m wire.Method) {
		for l.channels[number] != nil && l.channels[number].queue != name {
			number++
		}
		if l.channels[number] == nil {
			l.open(number)
		}
		ch := l.channels[number]
		ch.queue, ch.asked = name, true
		l.send(method(number, m))
		number++
	}
	for _, q := range queues {
		put(q, &wire.QueueDeclare{Queue: l.side.name(q), Passive: true})
	}
	for _, x := range exchanges {
		put("exchange "+x, &wire.ExchangeDeclare{Exchange: x, Passive: true})
	}
}

// asked reports whether all that was asked is answered.
func (l *link) asked() bool {
	for _, ch := range l.channels {
		if ch.asked {
			return false
		}
	}
	return true
}

// tagOf gives the delivery tag that a step means, or 0.
func (s *side) tagOf(st *step) uint64 {
	if l := s.links[st.conn]; l != nil && l.channels[st.channel] != nil {
		list := l.channels[st.channel].tags[st.settle]
		if i := len(list) - 1 - st.back; i >= 0 {
			return list[i]
		}
	}
	return 0
}

// owe notes a delivery.
func (ch *channel) owe(source string, tag uint64) {
	if !ch.free[source] {
		ch.tags[source] = append(ch.tags[source], tag)
	}
}

// settled forgets deliveries that need no settlement any more.
func (ch *channel) settled(tag uint64, multiple bool) {
	for name, list := range ch.tags {
		ch.tags[name] = slices.DeleteFunc(list, func(t uint64) bool {
			return t == tag || multiple && (t < tag || tag == 0)
		})
	}
}

// handle takes one frame.
func (l *link) handle(f frame) error {
	ch := l.channels[f.channel]
	if f.typ != byte(wire.FrameMethod) {
		if ch == nil || ch.message == nil {
			return fmt.Errorf("no content is expected on channel %d", f.channel)
		}
		return l.content(f, ch)
	}
	m, err := wire.ParseMethod(f.payload)
	if err != nil {
		return err
	}
	if f.channel == 0 {
		l.control(m)
		return nil
	}
	if ch == nil {
		l.side.add(l.at(f.channel), "closed channel: "+describe(m))
		return nil
	}
	switch m.(type) {
	case *wire.BasicDeliver, *wire.BasicGetOk, *wire.BasicReturn:
		ch.message = &message{method: m}
		return nil
	}
	l.answer(f.channel, ch, m)
	return nil
}

func (l *link) at(number uint16) string { return fmt.Sprintf("%c/%d", l.id, number) }

// control takes a method of the connection.
func (l *link) control(m wire.Method) {
	switch m.(type) {
	case *wire.ConnectionClose:
		l.over = true
		l.send(method(0, &wire.ConnectionCloseOk{}))
	case *wire.ConnectionCloseOk:
		l.over = true
		// Some brokers wait for the client to close, and some do not.
		l.net.Close()
	}
	l.side.add(string(rune(l.id)), describe(m))
}

// answer takes a method without content on a channel.
func (l *link) answer(number uint16, ch *channel, m wire.Method) {
	s := l.side
	switch m := m.(type) {
	case *wire.ChannelFlowOk:
		if ch.flows > 0 {
			ch.flows--
			return
		}
	case *wire.ChannelClose:
		l.send(method(number, &wire.ChannelCloseOk{}))
		delete(l.channels, number)
		if ch.queue != "" {
			l.fenced(ch, m.ReplyText)
			return
		}
	case *wire.ChannelCloseOk:
		delete(l.channels, number)
	case *wire.ChannelOpenOk:
		ch.opening = false
		if number >= markerChannel || l.id == watcher {
			return
		}
	case *wire.ConfirmSelectOk:
		ch.confirm = true
	case *wire.TxCommitOk:
		ch.commits = false
	case *wire.BasicAck:
		ch.decide(m.DeliveryTag, m.Multiple, "ack")
		l.tell(number, ch)
		return
	case *wire.BasicNack:
		ch.decide(m.DeliveryTag, m.Multiple, "nack")
		l.tell(number, ch)
		return
	case *wire.BasicCancel:
		// RabbitMQ goes by the tags of a channel, Coffer by the age of consumers.
		s.add(l.at(number)+" cancelled "+m.ConsumerTag, describe(m))
		return
	case *wire.QueueDeclareOk:
		if number == markerChannel {
			return
		}
		if ch.queue != "" {
			l.fenced(ch, fmt.Sprintf("%d messages, %d consumers", m.MessageCount, m.ConsumerCount))
			return
		}
		if strings.HasPrefix(m.Queue, "amq.gen-") && !strings.Contains(s.plain(m.Queue), "{") {
			s.generated = append(s.generated, m.Queue)
		}
	case *wire.ExchangeDeclareOk:
		if ch.queue != "" {
			l.fenced(ch, "there")
			return
		}
	}
	s.add(l.at(number), describe(m))
}

// fenced notes an answer about a queue or an exchange.
func (l *link) fenced(ch *channel, text string) {
	ch.asked = false
	if x, ok := strings.CutPrefix(ch.queue, "exchange "); ok {
		l.side.shape[x] = l.side.plain(text)
	} else {
		l.side.depths[ch.queue] = l.side.plain(text)
	}
}

// decide notes a confirm.
func (ch *channel) decide(tag uint64, multiple bool, verdict string) {
	from := tag
	if multiple {
		from = ch.told + 1
	}
	if multiple && tag == 0 {
		tag = ch.published
	}
	for ; from <= tag; from++ {
		if ch.verdicts[from] == "" {
			ch.verdicts[from] = verdict
		}
	}
}

// tell logs confirms in the order of what was published.
func (l *link) tell(number uint16, ch *channel) {
	for ch.verdicts[ch.told+1] != "" {
		ch.told++
		l.side.add(l.at(number)+" confirms", fmt.Sprint(ch.told, " ", ch.verdicts[ch.told]))
	}
}

// content takes a frame of a message.
func (l *link) content(f frame, ch *channel) error {
	m := ch.message
	if f.typ == byte(wire.FrameHeader) {
		h, err := wire.ParseContentHeader(f.payload)
		if err != nil {
			return err
		}
		var p wire.Properties
		if err := p.Parse(h.Raw); err != nil {
			return err
		}
		if p.Has(wire.FlagReplyTo) {
			m.reply = string(p.ReplyTo)
		}
		m.props, m.left, m.header = properties(&p), h.BodySize, true
	} else {
		m.body = append(m.body, f.payload...)
		m.left -= uint64(len(f.payload))
	}
	if m.header && m.left == 0 {
		ch.message = nil
		l.received(f.channel, ch, m)
	}
	return nil
}

// received logs a message. Delivery tags are not shown: those of a channel's consumers
// may be mixed in any way.
func (l *link) received(number uint16, ch *channel, m *message) {
	if strings.HasPrefix(m.reply, "amq.rabbitmq.reply-to.") {
		l.side.reply = m.reply
	}
	stream, source := l.at(number), ""
	switch got := m.method.(type) {
	case *wire.BasicDeliver:
		source = string(got.ConsumerTag)
		ch.owe(source, got.DeliveryTag)
		stream += " deliveries to " + source
		m.method = &wire.BasicDeliver{
			Redelivered: got.Redelivered, Exchange: got.Exchange, RoutingKey: got.RoutingKey,
		}
	case *wire.BasicGetOk:
		ch.owe("get", got.DeliveryTag)
		m.method = &wire.BasicGetOk{
			Redelivered: got.Redelivered, Exchange: got.Exchange, RoutingKey: got.RoutingKey,
			MessageCount: got.MessageCount,
		}
	case *wire.BasicReturn:
		stream += " returns"
	}
	line := fmt.Sprintf("%s: %s %s", describe(m.method), cut(string(m.body)), m.props)
	l.side.add(stream, strings.TrimSuffix(line, " "))
}
