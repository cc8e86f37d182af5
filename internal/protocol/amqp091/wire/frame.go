package wire

import (
	"encoding/binary"
	"strconv"
)

// Sizes of frames in octets.
const (
	// FrameOverhead is what a frame adds to its payload: seven octets of head, one of end.
	FrameOverhead = frameHead + 1
	// DefaultFrameMax is the frame_max that RabbitMQ offers in connection.tune.
	DefaultFrameMax = 131072
	// InitialFrameMax bounds frames before connection.tune-ok, where no size is
	// negotiated yet: RabbitMQ's initial_frame_max since 4.1, room for a token
	// in start-ok. (Since then RabbitMQ also refuses to negotiate less than this.)
	// It is for what a server reads; clients hold the server to FrameMinSize
	// until then, so connection.start must fit that.
	InitialFrameMax = 8192

	frameHead = 7
	// frameSlack is RabbitMQ's: clients that forget the overhead are tolerated.
	frameSlack = FrameOverhead
)

// FrameType is the first octet of a frame.
type FrameType uint8

// Frame is one frame. Payload aliases the buffer it was parsed from.
type Frame struct {
	Type    FrameType
	Channel uint16
	Payload []byte
}

// ParseFrame reads the frame at the start of buf. size is the length of the
// whole frame; when size > len(buf) the frame is incomplete, f is zero, and the
// caller reads until buf holds at least size octets (while the head itself is
// incomplete, size is the head's). frameMax is the negotiated limit; zero means
// InitialFrameMax, so it is never unlimited. A frame over the limit, of an
// unknown type or too short for its type is refused when its head is there.
//
// Errors are *Error with code FrameError around ErrFrameTooLarge, ErrFrameType
// or ErrFrameEnd. None can be recovered from: the stream's framing is lost.
func ParseFrame(buf []byte, frameMax uint32) (f Frame, size int, err error) {
	if len(buf) < frameHead {
		return Frame{}, frameHead, nil
	}
	if frameMax == 0 {
		frameMax = InitialFrameMax
	}
	typ, n := FrameType(buf[0]), binary.BigEndian.Uint32(buf[3:])
	if uint64(n)+FrameOverhead > uint64(frameMax)+frameSlack {
		return Frame{}, 0, frameTooLarge(typ, n, frameMax)
	}
	if !typ.admits(n) {
		return Frame{}, 0, frameError(ErrFrameType, typ, int(n), "unknown_frame")
	}
	size = int(n) + FrameOverhead
	if len(buf) < size {
		return Frame{}, size, nil
	}
	if end := buf[size-1]; end != FrameEnd {
		detail := "{invalid_frame_end_marker," + strconv.Itoa(int(end)) + "}"
		return Frame{}, 0, frameError(ErrFrameEnd, typ, int(n), detail)
	}
	payload := buf[frameHead : size-1 : size-1]
	return Frame{typ, binary.BigEndian.Uint16(buf[1:]), payload}, size, nil
}

// admits says whether a payload of n octets is possible for the type.
func (t FrameType) admits(n uint32) bool {
	switch t {
	case FrameMethod:
		return n >= methodHead
	case FrameHeader:
		return n >= contentHead
	case FrameBody:
		return true
	case FrameHeartbeat:
		return n == 0
	}
	return false
}

// AppendFrame appends a whole frame around payload. It does not look into the
// payload; len(payload)+FrameOverhead must not exceed the negotiated frame_max.
func AppendFrame(dst []byte, f Frame) []byte {
	dst = appendFrameHead(dst, f.Type, f.Channel, len(f.Payload))
	dst = append(dst, f.Payload...)
	return append(dst, FrameEnd)
}

// AppendHeartbeat appends a heartbeat frame; it always travels on channel 0.
func AppendHeartbeat(dst []byte) []byte {
	return AppendFrame(dst, Frame{Type: FrameHeartbeat})
}

func appendFrameHead(dst []byte, t FrameType, channel uint16, n int) []byte {
	dst = append(dst, byte(t), byte(channel>>8), byte(channel))
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

// endFrame writes the length into the head at start, and the end octet.
func endFrame(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+3:], uint32(len(dst)-start-frameHead))
	return append(dst, FrameEnd)
}
