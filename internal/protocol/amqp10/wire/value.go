package wire

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// empty is what an empty text of a value gives, so that it is not nil.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// IsNull reports whether there is no value.
func (v Raw) IsNull() bool { return len(v) == 0 || v[0] == codeNull }

// Bool gives a boolean.
func (v Raw) Bool() (value, ok bool) {
	switch {
	case len(v) == 1 && v[0] == codeTrue:
		return true, true
	case len(v) == 1 && v[0] == codeFalse:
		return false, true
	case len(v) == 2 && v[0] == codeBoolean:
		return v[1] == 1, true
	}
	return false, false
}

// Uint gives a uint.
func (v Raw) Uint() (value uint32, ok bool) {
	switch {
	case len(v) == 1 && v[0] == codeUint0:
		return 0, true
	case len(v) == 2 && v[0] == codeSmallUint:
		return uint32(v[1]), true
	case len(v) == 5 && v[0] == codeUint:
		return binary.BigEndian.Uint32(v[1:]), true
	}
	return 0, false
}

// Ulong gives a ulong.
func (v Raw) Ulong() (value uint64, ok bool) {
	switch {
	case len(v) == 1 && v[0] == codeUlong0:
		return 0, true
	case len(v) == 2 && v[0] == codeSmallUlong:
		return uint64(v[1]), true
	case len(v) == 9 && v[0] == codeUlong:
		return binary.BigEndian.Uint64(v[1:]), true
	}
	return 0, false
}

// Unsigned gives an unsigned number of any width.
func (v Raw) Unsigned() (value uint64, ok bool) {
	switch {
	case len(v) == 2 && v[0] == codeUbyte:
		return uint64(v[1]), true
	case len(v) == 3 && v[0] == codeUshort:
		return uint64(binary.BigEndian.Uint16(v[1:])), true
	}
	if n, ok := v.Uint(); ok {
		return uint64(n), true
	}
	return v.Ulong()
}

// Integer gives a number without a fraction, of any width and with or without a sign,
// that an int64 can hold.
func (v Raw) Integer() (value int64, ok bool) {
	if n, ok := v.Unsigned(); ok {
		return int64(n), n <= math.MaxInt64
	}
	switch {
	case len(v) == 2 && (v[0] == codeByte || v[0] == codeSmallInt || v[0] == codeSmallLong):
		return int64(int8(v[1])), true
	case len(v) == 3 && v[0] == codeShort:
		return int64(int16(binary.BigEndian.Uint16(v[1:]))), true
	case len(v) == 5 && v[0] == codeInt:
		return int64(int32(binary.BigEndian.Uint32(v[1:]))), true
	case len(v) == 9 && v[0] == codeLong:
		return int64(binary.BigEndian.Uint64(v[1:])), true
	}
	return 0, false
}

// Float gives a float or a double.
func (v Raw) Float() (value float64, ok bool) {
	switch {
	case len(v) == 5 && v[0] == codeFloat:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v[1:]))), true
	case len(v) == 9 && v[0] == codeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(v[1:])), true
	}
	return 0, false
}

// Timestamp gives a time in milliseconds since 1970.
func (v Raw) Timestamp() (value int64, ok bool) {
	if len(v) == 9 && v[0] == codeTimestamp {
		return int64(binary.BigEndian.Uint64(v[1:])), true
	}
	return 0, false
}

// UUID gives the 16 octets of a UUID.
func (v Raw) UUID() (value []byte, ok bool) {
	if len(v) == 17 && v[0] == codeUUID {
		return v[1:], true
	}
	return nil, false
}

// variable gives the octets of a value with one of two codes.
func (v Raw) variable(short, long byte) ([]byte, bool) {
	switch {
	case len(v) >= 2 && v[0] == short:
		return notNil(v[2:]), true
	case len(v) >= 5 && v[0] == long:
		return notNil(v[5:]), true
	}
	return nil, false
}

// Binary gives the octets of a binary value.
func (v Raw) Binary() ([]byte, bool) { return v.variable(codeBinary8, codeBinary32) }

// Symbol gives the octets of a symbol, which are ASCII.
func (v Raw) Symbol() ([]byte, bool) {
	b, ok := v.variable(codeSymbol8, codeSymbol32)
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return nil, false
		}
	}
	return b, ok
}

// Text gives the octets of a string, which are UTF-8.
func (v Raw) Text() ([]byte, bool) {
	b, ok := v.variable(codeString8, codeString32)
	if !ok || !utf8.Valid(b) {
		return nil, false
	}
	return b, true
}

// Word gives the octets of a string or a symbol.
func (v Raw) Word() ([]byte, bool) {
	if b, ok := v.Text(); ok {
		return b, true
	}
	return v.Symbol()
}

// list gives the number of the elements of a list and their octets.
func (v Raw) list() (count int, body []byte, ok bool) {
	switch {
	case len(v) == 1 && v[0] == codeList0:
		return 0, nil, true
	case len(v) >= 3 && v[0] == codeList8:
		return int(v[2]), v[3:], true
	case len(v) >= 9 && v[0] == codeList32:
		return size(v[5:], 4), v[9:], true
	}
	return 0, nil, false
}

// IsList reports whether the value is a list.
func (v Raw) IsList() bool {
	_, _, ok := v.list()
	return ok
}

// IsMap reports whether the value is a map.
func (v Raw) IsMap() bool {
	_, _, ok := v.mapping()
	return ok
}

func (v Raw) mapping() (count int, body []byte, ok bool) {
	switch {
	case len(v) >= 3 && v[0] == codeMap8:
		return int(v[2]), v[3:], true
	case len(v) >= 9 && v[0] == codeMap32:
		return size(v[5:], 4), v[9:], true
	}
	return 0, nil, false
}

// Described splits a described value. A descriptor that is not the specification's has
// the code 0.
func (v Raw) Described() (code Code, value Raw, ok bool) {
	if len(v) < 3 || v[0] != codeDescribed {
		return 0, nil, false
	}
	d, rest, err := Next(v[1:])
	if err != nil {
		return 0, nil, false
	}
	if n, ok := d.Ulong(); ok {
		return Code(n), Raw(rest), true
	}
	if s, ok := d.Symbol(); ok {
		return codeOf(s), Raw(rest), true
	}
	return 0, Raw(rest), true
}

// Descriptor gives the descriptor of a described value.
func (v Raw) Descriptor() Raw {
	if len(v) < 3 || v[0] != codeDescribed {
		return nil
	}
	d, _, err := Next(v[1:])
	if err != nil {
		return nil
	}
	return d
}

// Elements walks the elements of a list or an array, or is the value itself when it is
// neither: so fields of the specification with several values are given.
func (v Raw) Elements(fn func(Raw) bool) {
	if count, body, ok := v.list(); ok {
		for ; count > 0; count-- {
			e, rest, err := Next(body)
			if err != nil || !fn(e) {
				return
			}
			body = rest
		}
		return
	}
	if len(v) > 0 && (v[0] == codeArray8 || v[0] == codeArray32) {
		v.array(fn)
		return
	}
	if !v.IsNull() {
		fn(v)
	}
}

// array walks the elements of an array. Each is made a value of its own.
func (v Raw) array(fn func(Raw) bool) {
	head := 1
	if v[0] == codeArray32 {
		head = 4
	}
	b := v[1+head:]
	count := size(b, head)
	code, data, err := constructor(b[head:], MaxDepth)
	if err != nil {
		return
	}
	prefix := b[head : len(b)-len(data)]
	var element []byte
	for ; count > 0; count-- {
		n, err := measureData(code, data, MaxDepth)
		if err != nil {
			return
		}
		element = append(append(element[:0], prefix...), data[:n]...)
		if !fn(Raw(element)) {
			return
		}
		data = data[n:]
	}
}

// Pairs walks the keys and values of a map.
func (v Raw) Pairs(fn func(key, value Raw) bool) {
	count, body, _ := v.mapping()
	for ; count >= 2; count -= 2 {
		key, rest, err := Next(body)
		if err != nil {
			return
		}
		value, rest, err := Next(rest)
		if err != nil || !fn(key, value) {
			return
		}
		body = rest
	}
}

// Find gives the value of a key, a string or a symbol, of a map.
func (v Raw) Find(name string) (found Raw) {
	v.Pairs(func(key, value Raw) bool {
		if w, ok := key.Word(); ok && string(w) == name {
			found = value
			return false
		}
		return true
	})
	return found
}

// IsArray reports whether the value is an array.
func (v Raw) IsArray() bool {
	return len(v) > 0 && (v[0] == codeArray8 || v[0] == codeArray32)
}

// Width gives the octets that a number of the value's type has; 0: it is no integer.
func (v Raw) Width() int {
	if len(v) == 0 {
		return 0
	}
	switch v[0] {
	case codeByte, codeUbyte:
		return 1
	case codeShort, codeUshort:
		return 2
	case codeInt, codeSmallInt, codeUint, codeSmallUint, codeUint0:
		return 4
	case codeLong, codeSmallLong, codeUlong, codeSmallUlong, codeUlong0:
		return 8
	}
	return 0
}

// IsSigned reports whether the value is an integer of a type with a sign.
func (v Raw) IsSigned() bool {
	if len(v) == 0 {
		return false
	}
	switch v[0] {
	case codeByte, codeShort, codeInt, codeSmallInt, codeLong, codeSmallLong:
		return true
	}
	return false
}
