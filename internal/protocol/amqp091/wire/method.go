package wire

import (
	"encoding/binary"
	"fmt"
)

// methodHead is the class id and the method id before the arguments.
const methodHead = 4

// MethodID is a class id in the upper and a method id in the lower 16 bits.
type MethodID uint32

// Class gives the class id, as in connection.close.
func (id MethodID) Class() uint16 { return uint16(id >> 16) }

// Method gives the method id within the class.
func (id MethodID) Method() uint16 { return uint16(id) }

// String gives the name: "basic.publish".
func (id MethodID) String() string {
	if info, ok := id.info(); ok {
		return info.name
	}
	return fmt.Sprintf("method %d/%d", id.Class(), id.Method())
}

// HasContent says whether a content header and body frames follow the method.
func (id MethodID) HasContent() bool { return id.has(content) }

// Synchronous says whether the specification counts the method as part of a
// request and its answer.
func (id MethodID) Synchronous() bool { return id.has(synchronous) }

// ToServer says whether a client may send the method.
func (id MethodID) ToServer() bool { return id.has(toServer) }

// ToClient says whether a server may send the method.
func (id MethodID) ToClient() bool { return id.has(toClient) }

func (id MethodID) has(f methodFlags) bool {
	info, _ := id.info()
	return info.flags&f != 0
}

type methodInfo struct {
	name  string
	flags methodFlags
}

type methodFlags uint8

const (
	synchronous methodFlags = 1 << iota
	content
	toServer
	toClient
)

// Method is one of the generated structs, by pointer: *BasicPublish and so on.
// Reserved arguments are not kept; they are written as zero.
type Method interface {
	// ID says which method it is.
	ID() MethodID
	// decode fills the method from its arguments.
	decode(*reader)
	// append appends the arguments.
	append([]byte) ([]byte, error)
}

// PeekMethod gives the id at the start of a method frame's payload, known or
// not, and 0 for a payload too short to have one.
func PeekMethod(payload []byte) MethodID {
	if len(payload) < methodHead {
		return 0
	}
	return MethodID(binary.BigEndian.Uint32(payload))
}

// ParseMethod decodes a method frame's payload into a new struct. Errors are
// *Error: NotImplemented around ErrMethod for an unknown method, FrameError
// around ErrSyntax, ErrUTF8, ErrTable or ErrDepth for unfit arguments.
// Octets after the last argument are an error, as in RabbitMQ.
func ParseMethod(payload []byte) (Method, error) {
	id := PeekMethod(payload)
	m := newMethod(id)
	if m == nil {
		return nil, unknownMethod(id)
	}
	r := reader{b: payload[methodHead:]}
	m.decode(&r)
	if err := r.end(id); err != nil {
		return nil, err
	}
	return m, nil
}

func unknownMethod(id MethodID) *Error {
	text := fmt.Sprintf("unknown class or method (%d, %d)", id.Class(), id.Method())
	return &Error{Code: NotImplemented, Text: text, Method: id, Err: ErrMethod}
}

// Decoder decodes methods and allocates nothing for those of every message:
// basic.publish, deliver, return, get-ok, ack, nack and reject. The zero value
// is ready. It must not be used by two goroutines at once.
type Decoder struct {
	publish BasicPublish
	deliver BasicDeliver
	ret     BasicReturn
	getOk   BasicGetOk
	ack     BasicAck
	nack    BasicNack
	reject  BasicReject
}

// Method is like ParseMethod, but a method of the above belongs to the Decoder
// and is valid until the next call of Method; its strings alias payload.
func (d *Decoder) Method(payload []byte) (Method, error) {
	var m Method
	id := PeekMethod(payload)
	var r reader
	if id != 0 {
		r.b = payload[methodHead:]
	}
	switch id {
	case IDBasicPublish:
		d.publish.decode(&r)
		m = &d.publish
	case IDBasicDeliver:
		d.deliver.decode(&r)
		m = &d.deliver
	case IDBasicReturn:
		d.ret.decode(&r)
		m = &d.ret
	case IDBasicGetOk:
		d.getOk.decode(&r)
		m = &d.getOk
	case IDBasicAck:
		d.ack.decode(&r)
		m = &d.ack
	case IDBasicNack:
		d.nack.decode(&r)
		m = &d.nack
	case IDBasicReject:
		d.reject.decode(&r)
		m = &d.reject
	default:
		return ParseMethod(payload)
	}
	if err := r.end(id); err != nil {
		return nil, err
	}
	return m, nil
}

// AppendMethod appends a whole method frame. A method cannot be split over
// frames: a caller that puts large tables or strings into one compares what
// was appended with the negotiated frame_max. On an error dst is returned as it
// was; it names the argument and wraps ErrShortstr, ErrLongstr or ErrTable.
func AppendMethod(dst []byte, channel uint16, m Method) ([]byte, error) {
	start := len(dst)
	out, err := m.append(appendMethodHead(dst, channel, m.ID()))
	if err != nil {
		return dst, fmt.Errorf("%s: %w", m.ID(), err)
	}
	return endFrame(out, start), nil
}

func appendMethodHead(dst []byte, channel uint16, id MethodID) []byte {
	dst = appendFrameHead(dst, FrameMethod, channel, 0)
	return binary.BigEndian.AppendUint32(dst, uint32(id))
}
