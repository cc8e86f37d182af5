package differential

import (
	"encoding/binary"

	"coffer/internal/protocol/amqp091/wire"
)

// userName is who logs in to both brokers.
const userName = "admin"

func (g *generator) closeChannel(st *step) {
	st.method = &wire.ChannelClose{ReplyCode: wire.ReplySuccess, ReplyText: "bye"}
}

func (g *generator) closeConnection(st *step) {
	st.channel = 0
	st.method = &wire.ConnectionClose{ReplyCode: wire.ReplySuccess, ReplyText: "bye"}
}

func (g *generator) cut(st *step) { st.cut = true }

// askReplies asks with the name for answers, or gets ready to.
func (g *generator) askReplies(st *step) {
	if len(g.askers) == 0 || g.chance(30) {
		g.askers = append(g.askers, source{conn: st.conn, channel: st.channel})
		st.method = &wire.BasicConsume{
			Queue: "amq.rabbitmq.reply-to", ConsumerTag: one(g, "c1", "r", ""),
			NoAck: !g.chance(5), Exclusive: g.chance(10),
		}
		return
	}
	if a := one(g, g.askers...); !g.chance(10) {
		st.conn, st.channel = a.conn, a.channel
	}
	st.method = &wire.BasicPublish{RoutingKey: []byte(g.classic())}
	st.body = g.text()
	st.props = &wire.Properties{
		Flags: wire.FlagReplyTo, ReplyTo: []byte("amq.rabbitmq.reply-to"),
	}
}

// answer sends an answer to who asked last.
func (g *generator) answer(st *step) {
	if g.chance(10) {
		st.method = &wire.QueueDeclare{Queue: replyName, Passive: g.chance(50)}
		return
	}
	st.method = &wire.BasicPublish{RoutingKey: []byte(replyName), Mandatory: g.chance(50)}
	st.body, st.props = g.text(), g.properties()
}

// unopened says that the channel of a step is not opened before it.
const unopened = "on a channel that may not be open"

// misuse sends a method where it does not belong.
func (g *generator) misuse(st *step) {
	switch g.IntN(5) {
	case 0:
		st.method = &wire.ChannelOpen{}
	case 1:
		st.channel, st.method, st.what = 7, &wire.BasicQos{}, unopened
	case 2:
		st.method = one[wire.Method](g, &wire.ChannelFlow{}, &wire.BasicGetEmpty{},
			&wire.QueueDeclareOk{Queue: "q1"}, &wire.BasicCancel{}, &wire.ChannelFlowOk{},
			&wire.ConnectionOpen{}, &wire.TxSelectOk{})
	case 3:
		st.channel = 0
		st.method = one[wire.Method](g, &wire.ConnectionTuneOk{}, &wire.ConnectionOpen{},
			&wire.ConnectionStartOk{}, &wire.BasicQos{}, &wire.ConnectionBlocked{},
			&wire.ConnectionOpenOk{}, &wire.ChannelOpen{})
	default:
		st.method = &wire.BasicPublish{} // its content does not follow
	}
}

// malformed sends octets that are wrong.
func (g *generator) malformed(st *step) {
	n := st.channel
	publish := method(n, &wire.BasicPublish{RoutingKey: []byte("q1")})
	header := func(class, weight uint16, size uint64, rest ...byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, class)
		b = binary.BigEndian.AppendUint16(b, weight)
		b = append(binary.BigEndian.AppendUint64(b, size), rest...)
		return wire.AppendHeader(publish[:len(publish):len(publish)], n, b)
	}
	raw := func(typ wire.FrameType, payload string) []byte {
		return wire.AppendFrame(nil, wire.Frame{Type: typ, Channel: n, Payload: []byte(payload)})
	}
	bad := method(n, &wire.BasicQos{})
	bad[len(bad)-1] = 'x'
	list := []step{
		{what: "a frame without its end", raw: bad},
		{what: "a frame of an unknown type", raw: raw(77, "?")},
		{what: "a body without a message", raw: raw(wire.FrameBody, "?")},
		{what: "a header without a message", raw: raw(wire.FrameHeader, "01234567890123456789")},
		{what: "a heartbeat on a channel", raw: raw(wire.FrameHeartbeat, "")},
		{what: "an unknown method", raw: raw(wire.FrameMethod, "\x00\x3c\x00\xc7")},
		{what: "an unknown class", raw: raw(wire.FrameMethod, "\x01\x3c\x00\xc8")},
		{what: "half a method", raw: raw(wire.FrameMethod, "\x00\x3c\x00\x0a\x00")},
		{what: "a method with more", raw: raw(wire.FrameMethod, "\x00\x14\x00\x0a\x00more")},
		{what: "a header of another class", raw: header(50, 0, 0, 0, 0)},
		{what: "a header with a weight", raw: header(60, 1, 0, 0, 0)},
		{what: "a header with half a property", raw: header(60, 0, 0, 0x80, 0, 9)},
		{what: "a header with more", raw: header(60, 0, 0, 0, 0, 1)},
		{what: "a header with a wrong table", raw: header(60, 0, 0, 0x20, 0, 0, 0, 0, 2, 1, 'a')},
		{what: "a body too long",
			raw: append(header(60, 0, 1, 0, 0), raw(wire.FrameBody, "ab")...)},
		{what: "a huge body", raw: header(60, 0, 1<<40, 0, 0)},
	}
	st.raw, st.what = nil, ""
	pick := one(g, list...)
	st.raw, st.what = pick.raw, pick.what
}
