package amqp10

import (
	"io"

	"coffer/internal/protocol/amqp10/wire"
)

// Bounds of the read buffer in octets. It grows to hold a frame, or when a
// client fills it, and shrinks when it turns out larger than needed.
const (
	smallInput = 4 << 10
	quietReads = 256 // reads in a row that would have fitted the small one
)

// input holds what was read and not yet used. Frames are parsed in place, so
// they are valid until the next fill.
type input struct {
	src   io.Reader
	buf   []byte
	r, w  int  // buf[r:w] is unused
	need  int  // octets of the frame at r, as far as known
	max   int  // bound of buf
	full  bool // the last read filled buf
	quiet int
}

func newInput(src io.Reader, frameMax uint32) input {
	return input{src: src, buf: make([]byte, smallInput), max: max(2*int(frameMax), smallInput)}
}

// header gives the next eight octets, which are a protocol header.
func (in *input) header() (p wire.Protocol) {
	in.need = wire.HeaderSize
	if p = wire.ParseProtocolHeader(in.buf[in.r:in.w]); p != wire.ProtocolPartial {
		in.r += wire.HeaderSize
	}
	return p
}

// next gives the next whole frame; ok is false when more must be read.
func (in *input) next(frameMax uint32) (f wire.Frame, ok bool, err error) {
	f, size, err := wire.ParseFrame(in.buf[in.r:in.w], frameMax)
	if err != nil {
		return f, false, err
	}
	if in.need = size; size > in.w-in.r {
		return f, false, nil
	}
	in.r += size
	return f, true, nil
}

// fill reads once, after making room for the frame that next found incomplete.
func (in *input) fill() error {
	in.w = copy(in.buf, in.buf[in.r:in.w])
	in.r = 0
	switch {
	case in.full || in.need > len(in.buf):
		if size := max(in.need, min(2*len(in.buf), in.max)); size > len(in.buf) {
			in.resize(size)
		}
	case in.quiet > quietReads && in.w < smallInput && in.need <= smallInput:
		in.resize(smallInput)
	}
	n, err := in.src.Read(in.buf[in.w:])
	in.w += n
	in.full = in.w == len(in.buf)
	if in.quiet++; in.w > smallInput || len(in.buf) == smallInput {
		in.quiet = 0
	}
	if n > 0 {
		return nil
	}
	return err
}

func (in *input) resize(size int) {
	buf := make([]byte, size)
	in.w = copy(buf, in.buf[:in.w])
	in.buf, in.quiet = buf, 0
}
