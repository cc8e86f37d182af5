package amqp10

import (
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/buffer"
)

// output gathers frames for the writer.
type output struct{ buffer.Output }

// performative is the body of a frame.
type performative interface{ Append(dst []byte) []byte }

// append adds a frame; the caller holds the lock and notifies.
func (o *output) append(t wire.FrameType, channel uint16, p performative) {
	buf, at := wire.OpenFrame(o.Buf, t, channel)
	o.Buf = wire.CloseFrame(p.Append(buf), at)
}

// send adds a frame. It waits while too much is unwritten.
func (o *output) send(channel uint16, p performative) {
	o.Lock()
	o.append(wire.FrameAMQP, channel, p)
	o.Notify()
	o.Wait()
	o.Unlock()
}

// raw adds octets that are no frame, or whole ones.
func (o *output) raw(b string) {
	o.Lock()
	o.Buf = append(o.Buf, b...)
	o.Notify()
	o.Unlock()
}
