package amqp091

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/protocoltest"
)

// framed makes frames of any octets, so that a fuzzer gets behind the framing:
// type and channel, length, payload.
func framed(b []byte) (out []byte) {
	for len(b) >= 2 {
		n := min(int(b[1]), len(b)-2)
		f := wire.Frame{
			Type: wire.FrameType(b[0] & 3), Channel: uint16(b[0] >> 2 & 3), Payload: b[2 : 2+n],
		}
		out = wire.AppendFrame(out, f)
		b = b[2+n:]
	}
	return out
}

// unframed is the other way round, as far as frames are short.
func unframed(b []byte) (out []byte) {
	for {
		f, size, err := wire.ParseFrame(b, wire.DefaultFrameMax)
		if err != nil || size > len(b) {
			return out
		}
		n := min(len(f.Payload), 255)
		out = append(out, byte(f.Type)|byte(f.Channel)<<2, byte(n))
		out = append(out, f.Payload[:n]...)
		b = b[size:]
	}
}

// FuzzConnection sends any octets after a handshake, as they are and made into
// frames: the server does not panic, and when the client has sent all, it ends
// the connection.
func FuzzConnection(f *testing.F) {
	hello := slices.Concat([]byte(wire.ProtocolHeader), method(0, startOk("u", "p")),
		method(0, &wire.ConnectionTuneOk{ChannelMax: 5, FrameMax: 4096}),
		method(0, &wire.ConnectionOpen{VirtualHost: "/"}), method(1, &wire.ChannelOpen{}))
	f.Add([]byte{})
	for _, m := range misuses() {
		f.Add(slices.Concat(m.frames...))
		f.Add(unframed(slices.Concat(m.frames...)))
	}
	orderly := slices.Concat(
		method(1, &wire.QueueDeclare{Queue: "q", Exclusive: true}),
		method(1, &wire.ConfirmSelect{}), publishFrames(1, "", "q", "body", 2),
		method(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"}),
		method(1, &wire.BasicAck{DeliveryTag: 1}), method(1, &wire.BasicCancel{ConsumerTag: "c"}),
		method(1, &wire.BasicGet{Queue: "q"}), method(1, &wire.BasicRecover{Requeue: true}),
		method(1, &wire.ChannelClose{}), method(0, &wire.ConnectionClose{}))
	f.Add(orderly)
	f.Add(unframed(orderly))
	extended := extensions()
	f.Add(extended)
	f.Add(unframed(extended))
	e := newEngine(f)
	s, err := New(Config{
		Engine: e, Logger: protocoltest.Quiet(), MaxMessage: 64 << 10, CloseTimeout: time.Second,
		RefusalDelay: time.Nanosecond,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		converse(t, s, hello, b)
		converse(t, s, hello, framed(b))
	})
}

// extensions are exchanges that lead to others, a transaction, and an answer.
func extensions() []byte {
	alternate := wire.Table{{Name: argAlternate, Value: wire.StringValue("amq.match")}}
	return slices.Concat(
		method(1, &wire.ExchangeDeclare{Exchange: "x", Type: "x-consistent-hash",
			AutoDelete: true, Arguments: alternate}),
		method(1, &wire.QueueDeclare{Queue: "q", Exclusive: true}),
		method(1, &wire.QueueBind{Exchange: "amq.match", Arguments: wire.Table{mode("any")}}),
		method(1, &wire.ExchangeBind{Destination: "amq.match", Source: "x", RoutingKey: "2"}),
		method(1, &wire.TxSelect{}), publishFrames(1, "x", "q", "body", 2),
		method(1, &wire.TxCommit{}), method(1, &wire.BasicGet{Queue: "q"}),
		method(1, &wire.BasicAck{DeliveryTag: 1}), method(1, &wire.TxRollback{}),
		method(1, &wire.BasicConsume{Queue: directReplyTo, NoAck: true, ConsumerTag: "c"}),
		publishFrames(1, "", replyPrefix+"x", "body", 1),
		method(1, &wire.BasicCancel{ConsumerTag: "c"}),
		method(1, &wire.ExchangeUnbind{Destination: "amq.match", Source: "x", RoutingKey: "2"}),
		method(1, &wire.ChannelClose{}), method(0, &wire.ConnectionClose{}))
}

// converse sends two pieces and requires the end of the connection.
func converse(t *testing.T, s *Server, hello, b []byte) {
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(context.Background(), server)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			if _, err := client.Read(buf); err != nil {
				return
			}
		}
	}()
	client.SetDeadline(time.Now().Add(patience))
	if _, err := client.Write(hello); err != nil {
		t.Fatal(err)
	}
	client.Write(b) // the server may end it at any octet
	client.Close()
	select {
	case <-served:
	case <-time.After(patience):
		t.Fatal("the connection did not end")
	}
	<-read
}
