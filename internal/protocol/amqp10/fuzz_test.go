package amqp10

import (
	"testing"

	"coffer/internal/protocol/amqp10/wire"
)

// Any octets after the opening end in an answer or a closed connection.
func FuzzConnection(f *testing.F) {
	link := frameOf(wire.FrameAMQP, 0, &wire.Begin{IncomingWindow: 9, OutgoingWindow: 9}, "")
	link = append(link, frameOf(wire.FrameAMQP, 0, sender(0, "/queues/q"), "")...)
	link = append(link, frameOf(wire.FrameAMQP, 0, receiver(1, "/queues/q"), "")...)
	f.Add(append(link, frameOf(wire.FrameAMQP, 0, &wire.Transfer{
		DeliveryID: wire.Some(uint32(0)),
	}, data("x"))...))
	f.Add(append(link, frameOf(wire.FrameAMQP, 0, &wire.Flow{
		Handle: wire.Some(uint32(1)), LinkCredit: wire.Some(uint32(9)), Drain: true,
	}, "")...))
	f.Add(append(link, frameOf(wire.FrameAMQP, 0, &wire.Detach{Handle: 1}, "")...))
	f.Add(frameOf(wire.FrameAMQP, 0, &wire.Close{}, ""))
	e := newEngine(f)
	e.Queue(f, "q")
	s := serveTest(f, e, Config{MaxMessage: 1 << 12, MaxPending: 1 << 13})
	end := frameOf(wire.FrameAMQP, 0, &wire.Close{}, "")
	f.Fuzz(func(t *testing.T, b []byte) {
		p := dialPeer(t, s)
		p.open()
		p.conn.Write(append(b, end...))
		if c, ok := p.conn.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		}
		for {
			if _, _, err := p.frame(); err != nil {
				return
			}
		}
	})
}
