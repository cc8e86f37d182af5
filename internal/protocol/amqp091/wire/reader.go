package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// reader takes values from the front of b. After the first error it has no
// octets left and gives zero values, so that decoders need not check each step.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// take gives the next n octets, or nil when there are fewer.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail(ErrSyntax)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) octet() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) short() uint16 {
	if v := r.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) code() Code { return Code(r.short()) }

func (r *reader) long() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) longlong() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// shortBytes gives a short string in place and, as RabbitMQ does for methods
// with content, does not check that it is UTF-8.
func (r *reader) shortBytes() []byte { return r.take(uint64(r.octet())) }

func (r *reader) shortstr() string {
	v := r.shortBytes()
	if !utf8.Valid(v) {
		r.fail(ErrUTF8)
		return ""
	}
	return string(v)
}

func (r *reader) longBytes() []byte { return r.take(uint64(r.long())) }

func (r *reader) longstr() string { return string(r.longBytes()) }

func (r *reader) secret() Secret { return append(Secret(nil), r.longBytes()...) }

// tableBytes gives an encoded table in place, validated.
func (r *reader) tableBytes() []byte {
	v := r.longBytes()
	if err := ValidateTable(v); err != nil {
		r.fail(err)
		return nil
	}
	return v
}

func (r *reader) table() Table {
	t, err := ParseTable(r.longBytes())
	if err != nil {
		r.fail(err)
	}
	return t
}

// end reports what went wrong in decoding a method's arguments, or that octets
// are left over.
func (r *reader) end(id MethodID) error {
	if r.err == nil && len(r.b) == 0 {
		return nil
	}
	if r.err == nil {
		r.err = ErrSyntax
	}
	text := "cannot decode <<...>>"
	if r.err == ErrUTF8 {
		text = "Malformed UTF-8 in shortstr"
	}
	return &Error{Code: FrameError, Text: text, Method: id, Err: r.err}
}
