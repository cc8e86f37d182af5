package amqp091

import (
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"
)

// output gathers frames for the writer.
type output struct{ buffer.Output }

// append adds a method frame; the caller holds the lock and notifies. Methods
// of a server are made of what it has checked, so they always fit a frame.
func (o *output) append(channel uint16, m wire.Method) {
	buf, err := wire.AppendMethod(o.Buf, channel, m)
	if err != nil {
		panic("amqp091: " + err.Error())
	}
	o.Buf = buf
}

// send adds a method frame. It waits while too much is unwritten.
func (o *output) send(channel uint16, m wire.Method) {
	o.Lock()
	o.append(channel, m)
	o.Notify()
	o.Wait()
	o.Unlock()
}
