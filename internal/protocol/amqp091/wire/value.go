package wire

import (
	"encoding/binary"
	"math"
)

// Field types, by the letters RabbitMQ uses (its errata to the specification).
const (
	TypeBool      = 't'
	TypeInt8      = 'b'
	TypeUint8     = 'B'
	TypeInt16     = 's'
	TypeUint16    = 'u'
	TypeInt32     = 'I'
	TypeUint32    = 'i'
	TypeInt64     = 'l'
	TypeInt64Alt  = 'L' // signed too, whatever the specification says
	TypeFloat32   = 'f'
	TypeFloat64   = 'd'
	TypeDecimal   = 'D'
	TypeTimestamp = 'T'
	TypeString    = 'S'
	TypeBytes     = 'x'
	TypeTable     = 'F'
	TypeArray     = 'A'
	TypeVoid      = 'V'

	tagTable   byte = TypeTable
	tagArray   byte = TypeArray
	tagVoid    byte = 0 // so that the zero Value is void
	tagInvalid byte = 0xFF
)

// Value is one typed value of a table. The zero Value is void. Values are
// immutable, and two are == exactly when their encodings are equal; compare
// with Int64 and so on where the type must not matter.
type Value struct {
	tag byte
	raw string // big-endian, without type and length
}

// Type gives one of the Type constants.
func (v Value) Type() byte {
	if v.tag == tagVoid {
		return TypeVoid
	}
	return v.tag
}

// BoolValue makes a 't'.
func BoolValue(b bool) Value { return fixed(TypeBool, uint64(bit(b, 0)), 1) }

// Int8Value makes a 'b'.
func Int8Value(n int8) Value { return fixed(TypeInt8, uint64(n), 1) }

// Uint8Value makes a 'B'.
func Uint8Value(n uint8) Value { return fixed(TypeUint8, uint64(n), 1) }

// Int16Value makes an 's'.
func Int16Value(n int16) Value { return fixed(TypeInt16, uint64(n), 2) }

// Uint16Value makes a 'u'.
func Uint16Value(n uint16) Value { return fixed(TypeUint16, uint64(n), 2) }

// Int32Value makes an 'I'.
func Int32Value(n int32) Value { return fixed(TypeInt32, uint64(n), 4) }

// Uint32Value makes an 'i'.
func Uint32Value(n uint32) Value { return fixed(TypeUint32, uint64(n), 4) }

// Int64Value makes an 'l'.
func Int64Value(n int64) Value { return fixed(TypeInt64, uint64(n), 8) }

// Float32Value makes an 'f'.
func Float32Value(f float32) Value { return fixed(TypeFloat32, uint64(math.Float32bits(f)), 4) }

// Float64Value makes a 'd'.
func Float64Value(f float64) Value { return fixed(TypeFloat64, math.Float64bits(f), 8) }

// DecimalValue makes a 'D': unscaled divided by 10 to the power of scale.
func DecimalValue(scale uint8, unscaled uint32) Value {
	return fixed(TypeDecimal, uint64(scale)<<32|uint64(unscaled), 5)
}

// TimestampValue makes a 'T', in seconds since 1970.
func TimestampValue(seconds uint64) Value { return fixed(TypeTimestamp, seconds, 8) }

// StringValue makes an 'S'.
func StringValue(s string) Value { return Value{TypeString, s} }

// BytesValue makes an 'x' with a copy of b.
func BytesValue(b []byte) Value { return Value{TypeBytes, string(b)} }

// TableValue makes an 'F'. When t cannot be encoded, the value is invalid:
// AppendTable of a table that holds it fails with ErrTable.
func TableValue(t Table) Value {
	b, err := AppendTable(nil, t)
	if err != nil {
		return Value{tag: tagInvalid}
	}
	return nested(tagTable, b[tableHead:])
}

// ArrayValue makes an 'A'. It is invalid like TableValue's when an item is.
func ArrayValue(items ...Value) Value {
	var b []byte
	for _, v := range items {
		var err error
		if b, err = v.append(b); err != nil {
			return Value{tag: tagInvalid}
		}
	}
	return nested(tagArray, b)
}

// nested refuses what would be too deep inside a table of its own.
func nested(tag byte, b []byte) Value {
	if checkNested(cell[[]byte]{tag, b}, 1) != nil {
		return Value{tag: tagInvalid}
	}
	return Value{tag, string(b)}
}

// fixed makes a value of the n lowest octets of bits.
func fixed(tag byte, bits uint64, n int) Value {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], bits)
	return Value{tag, string(b[8-n:])}
}

// append appends the value as it stands in a table or array.
func (v Value) append(dst []byte) ([]byte, error) {
	switch v.tag {
	case tagInvalid:
		return dst, ErrTable
	case TypeString, TypeBytes, tagTable, tagArray:
		return appendLongstr(append(dst, v.tag), v.raw)
	}
	return append(append(dst, v.Type()), v.raw...), nil
}
