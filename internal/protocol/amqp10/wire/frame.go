package wire

import (
	"encoding/binary"
	"fmt"
)

// FrameType is the kind of a frame.
type FrameType uint8

// The frame types.
const (
	FrameAMQP FrameType = 0
	FrameSASL FrameType = 1
)

// Sizes of frames in octets.
const (
	FrameHead    = 8
	MinFrameSize = 512 // that every peer takes
)

// Frame is one frame. Body aliases the input; an empty one says that the peer lives.
type Frame struct {
	Type    FrameType
	Channel uint16
	Body    []byte
}

// ParseFrame gives the frame at the beginning of b and its size in octets. When b is
// shorter than that, the frame is not valid and size is what is known to be needed.
// Errors are of type *Violation.
func ParseFrame(b []byte, limit uint32) (f Frame, size int, err error) {
	if len(b) < FrameHead {
		return f, FrameHead, nil
	}
	n := binary.BigEndian.Uint32(b)
	offset := 4 * int(b[4])
	switch {
	case n < FrameHead || n > limit:
		return f, 0, framing("a frame of %d octets: not from %d to %d", n, FrameHead, limit)
	case offset < FrameHead || offset > int(n):
		return f, 0, framing("data offset %d in a frame of %d octets", offset, n)
	case b[5] > uint8(FrameSASL):
		return f, 0, framing("unknown frame type %d", b[5])
	}
	size = int(n)
	if len(b) < size {
		return f, size, nil
	}
	f.Type, f.Channel = FrameType(b[5]), binary.BigEndian.Uint16(b[6:])
	f.Body = b[offset:size:size]
	return f, size, nil
}

func framing(format string, args ...any) *Violation {
	return &Violation{ConnectionErrorFramingError, fmt.Sprintf(format, args...)}
}

// OpenFrame begins a frame. The caller appends the body, and then calls CloseFrame.
func OpenFrame(dst []byte, t FrameType, channel uint16) (_ []byte, at int) {
	return append(dst, 0, 0, 0, 0, 2, byte(t), byte(channel>>8), byte(channel)), len(dst)
}

// CloseFrame ends a frame that begins at an index.
func CloseFrame(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// Performative is the body of a frame: a described list and, of a transfer, payload.
type Performative struct {
	Code    Code
	Fields  Raw
	Payload []byte
}

// ParsePerformative splits the body of a frame. Errors are of type *Violation.
func ParsePerformative(body []byte) (p Performative, err error) {
	v, rest, err := Next(body)
	if err != nil {
		return p, err
	}
	code, list, ok := v.Described()
	if !ok || !list.IsList() {
		return p, undecodable("the body of a frame is no described list")
	}
	return Performative{Code: code, Fields: list, Payload: rest}, nil
}

// Protocol is what a protocol header asks for.
type Protocol uint8

// The protocols.
const (
	ProtocolPartial Protocol = iota // fewer than eight octets
	ProtocolAMQP
	ProtocolSASL
	ProtocolOther
)

// Protocol headers.
const (
	HeaderAMQP = "AMQP\x00\x01\x00\x00"
	HeaderSASL = "AMQP\x03\x01\x00\x00"
	HeaderSize = 8
)

// ParseProtocolHeader tells which header stands at the beginning of b.
func ParseProtocolHeader(b []byte) Protocol {
	if len(b) < HeaderSize {
		return ProtocolPartial
	}
	switch string(b[:HeaderSize]) {
	case HeaderAMQP:
		return ProtocolAMQP
	case HeaderSASL:
		return ProtocolSASL
	}
	return ProtocolOther
}
