package amqp091

import (
	"io"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"
)

// input holds what was read and not yet used. Frames are parsed in place, so
// they are valid until the next Fill.
type input struct{ buffer.Input }

func newInput(src io.Reader, frameMax uint32) input {
	return input{buffer.NewInput(src, 2*(int(frameMax)+2*wire.FrameOverhead))}
}

// header looks for the octets that a client begins with.
func (in *input) header() (p wire.Protocol) {
	in.Need(wire.HeaderSize)
	if p = wire.ParseProtocolHeader(in.Unused()); p != wire.ProtocolPartial {
		in.Use(wire.HeaderSize)
	}
	return p
}

// next gives the next whole frame; ok is false when more must be read.
func (in *input) next(frameMax uint32) (f wire.Frame, ok bool, err error) {
	f, size, err := wire.ParseFrame(in.Unused(), frameMax)
	if err != nil {
		return f, false, err
	}
	if in.Need(size); size > len(in.Unused()) {
		return f, false, nil
	}
	in.Use(size)
	return f, true, nil
}
