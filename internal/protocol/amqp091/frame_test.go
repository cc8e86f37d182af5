package amqp091

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"coffer/internal/protocol/amqp091/wire"
)

// raw makes a frame of any octets.
func raw(t wire.FrameType, channel uint16, payload string) []byte {
	return wire.AppendFrame(nil, wire.Frame{Type: t, Channel: channel, Payload: []byte(payload)})
}

// method makes a method frame.
func method(channel uint16, m wire.Method) []byte {
	b, err := wire.AppendMethod(nil, channel, m)
	if err != nil {
		panic(err)
	}
	return b
}

// header makes a content header frame without properties.
func header(channel uint16, class, weight uint16, size uint64) []byte {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, weight)
	b = binary.BigEndian.AppendUint64(b, size)
	return raw(wire.FrameHeader, channel, string(append(b, 0, 0)))
}

// misuse is a sequence of frames that a client must not send, and the answer.
type misuse struct {
	name   string
	frames [][]byte
	code   wire.Code
	text   string
	class  wire.MethodID
}

func misuses() []misuse {
	publish := method(1, &wire.BasicPublish{RoutingKey: []byte("q")})
	body := raw(wire.FrameBody, 1, "12345")
	long := raw(wire.FrameBody, 1, "1234567890123456789")
	badEnd := raw(wire.FrameHeartbeat, 0, "")
	badEnd[len(badEnd)-1] = 0
	tooLarge := []byte{1, 0, 1, 0x7f, 0xff, 0xff, 0xff}
	get := method(1, &wire.BasicGet{Queue: "q"})
	return []misuse{
		{"unknown frame", [][]byte{raw(9, 1, "")}, wire.FrameError,
			"type 9, all octets = <<>>: unknown_frame", 0},
		{"no frame end", [][]byte{badEnd}, wire.FrameError,
			"type 8, all octets = <<>>: {invalid_frame_end_marker,0}", 0},
		{"large frame", [][]byte{tooLarge}, wire.FrameError,
			"type 1, all octets = <<>>: {frame_too_large,2147483647,131064}", 0},
		{"heartbeat on a channel", [][]byte{raw(wire.FrameHeartbeat, 1, "")},
			wire.UnexpectedFrame, "type 8, all octets = <<>>", 0},
		{"body on channel 0", [][]byte{raw(wire.FrameBody, 0, "12345678901234567")},
			wire.UnexpectedFrame, "type 3, first 16 octets = <<...>>", 0},
		{"header without method", [][]byte{header(1, 60, 0, 1)}, wire.UnexpectedFrame,
			"expected method frame, got non method frame instead", 0},
		{"body without channel", [][]byte{raw(wire.FrameBody, 2, "x")}, wire.UnexpectedFrame,
			"expected method frame, got non method frame instead", 0},
		{"method without channel", [][]byte{method(2, &wire.BasicGet{Queue: "q"})},
			wire.ChannelError, "expected 'channel.open'", wire.IDBasicGet},
		{"second open", [][]byte{method(1, &wire.ChannelOpen{})}, wire.ChannelError,
			"second 'channel.open' seen", wire.IDChannelOpen},
		{"method instead of header", [][]byte{publish, get}, wire.UnexpectedFrame,
			"expected content header for class 60, got non content header frame instead",
			wire.IDBasicPublish},
		{"header with weight", [][]byte{publish, header(1, 60, 1, 0)}, wire.UnexpectedFrame,
			"expected content header for class 60, got non content header frame instead",
			wire.IDBasicPublish},
		{"header of another class", [][]byte{publish, header(1, 50, 0, 0)},
			wire.UnexpectedFrame, "expected content header for class 60, got one for class 50 " +
				"instead", wire.IDBasicPublish},
		{"method instead of body", [][]byte{publish, header(1, 60, 0, 9), body, get},
			wire.UnexpectedFrame, "expected content body, got non content body frame instead",
			wire.IDBasicPublish},
		{"long body", [][]byte{publish, header(1, 60, 0, 9), body, body}, wire.FrameError,
			"content body frame exceeds remaining content size", wire.IDBasicPublish},
		{"long body at once", [][]byte{publish, header(1, 60, 0, 9), long}, wire.FrameError,
			"content body frame exceeds remaining content size", wire.IDBasicPublish},
		{"huge body", [][]byte{publish, header(1, 60, 0, 1<<40)}, wire.FrameError,
			"content body size 1099511627776 exceeds maximum allowed size 536870912",
			wire.IDBasicPublish},
		{"bad properties", [][]byte{publish, raw(wire.FrameHeader, 1,
			"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xfc")}, wire.FrameError,
			"cannot decode content header", wire.IDBasicPublish},
		{"unknown method", [][]byte{raw(wire.FrameMethod, 1, "\x00\x3c\x00\xff")},
			wire.NotImplemented, "unknown class or method (60, 255)", 60<<16 | 255},
		{"server's method", [][]byte{method(1, &wire.BasicGetEmpty{})}, wire.CommandInvalid,
			"unimplemented method", wire.IDBasicGetEmpty},
		{"connection method on a channel", [][]byte{method(1, &wire.ConnectionOpen{})},
			wire.CommandInvalid, "unimplemented method", wire.IDConnectionOpen},
		{"channel method on channel 0", [][]byte{method(0, &wire.ChannelOpen{})},
			wire.ChannelError, "unexpected method in connection state running",
			wire.IDChannelOpen},
		{"second start-ok", [][]byte{method(0, startOk("u", "p"))}, wire.ChannelError,
			"unexpected method in connection state running", wire.IDConnectionStartOk},
		{"bad arguments", [][]byte{raw(wire.FrameMethod, 1, "\x00\x3c\x00\x46\x00\x00\x09q")},
			wire.FrameError, "cannot decode <<...>>", wire.IDBasicGet},
	}
}

func TestMisusesCloseTheConnection(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	for _, tt := range misuses() {
		t.Run(tt.name, func(t *testing.T) {
			p := openPeer(t, s)
			p.write(slices.Concat(tt.frames...))
			m := await[*wire.ConnectionClose](p)
			want := wire.ConnectionClose{
				ReplyCode: tt.code, ReplyText: wire.ReplyText(tt.code, tt.text),
				ClassID: tt.class.Class(), MethodID: tt.class.Method(),
			}
			if *m != want {
				t.Errorf("%+v, want %+v", *m, want)
			}
			p.send(0, &wire.ConnectionCloseOk{})
			p.ended()
		})
	}
}

// TestClosedChannelIsDeaf: after channel.close the server hears nothing of the
// channel until close-ok, then the number is free.
func TestClosedChannelIsDeaf(t *testing.T) {
	t.Parallel()
	p := openPeer(t, serveTest(t, newEngine(t), Config{}))
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	await[*wire.QueueDeclareOk](p)
	p.send(1, &wire.BasicAck{DeliveryTag: 1})
	p.write(publishFrames(1, "", "q", "lost", 1))
	p.send(1, &wire.BasicConsume{Queue: "q"})
	p.write(header(1, 60, 0, 5))
	if m := await[*wire.ChannelClose](p); m.ReplyCode != wire.PreconditionFailed {
		t.Errorf("%+v", m)
	}
	p.send(1, &wire.ChannelClose{})
	await[*wire.ChannelCloseOk](p)
	p.send(1, &wire.ChannelCloseOk{})
	p.channel(1)
	p.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
	if m := await[*wire.QueueDeclareOk](p); m.MessageCount != 0 || m.ConsumerCount != 0 {
		t.Errorf("%+v", m)
	}
}

// TestIncompleteMessagesAreBounded sends parts of messages on many channels.
func TestIncompleteMessagesAreBounded(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{MaxMessage: 1 << 20, MaxPending: 2 << 20})
	p := openPeer(t, s)
	part := bytes.Repeat([]byte{1}, 100_000)
	for n := uint16(2); n < 100; n++ {
		b := method(n, &wire.ChannelOpen{})
		b = append(b, method(n, &wire.BasicPublish{})...)
		b = append(b, header(n, 60, 0, 200_000)...)
		b = append(b, raw(wire.FrameBody, n, string(part))...)
		if _, err := p.conn.Write(b); err != nil {
			break // it was closed
		}
	}
	for {
		_, m := p.method()
		if m, ok := m.(*wire.ConnectionClose); ok {
			const want = "RESOURCE_ERROR - incomplete messages on this connection exceed " +
				"2097152 octets"
			if m.ReplyText != want {
				t.Errorf("%+v", m)
			}
			return
		}
	}
}

// TestGoodbyeInTheMiddle: closing is possible at any time.
func TestGoodbyeInTheMiddle(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	p := openPeer(t, s)
	p.send(1, &wire.BasicPublish{})
	p.send(0, &wire.ConnectionClose{ReplyCode: wire.ReplySuccess})
	await[*wire.ConnectionCloseOk](p)
	p = openPeer(t, s)
	p.send(1, &wire.ChannelClose{})
	await[*wire.ChannelCloseOk](p)
	p.channel(1)
}

// TestFramesInPieces sends one octet at a time.
func TestFramesInPieces(t *testing.T) {
	t.Parallel()
	p := openPeer(t, serveTest(t, newEngine(t), Config{}))
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	await[*wire.QueueDeclareOk](p)
	b := publishFrames(1, "", "q", "slow", 2)
	b = append(b, method(1, &wire.BasicGet{Queue: "q", NoAck: true})...)
	for i := range b {
		p.write(b[i : i+1])
	}
	if m := await[*wire.BasicGetOk](p); string(m.RoutingKey) != "q" {
		t.Errorf("%+v", m)
	}
}
