package wire

import (
	"math"
	"time"
)

// Bool gives a 't'.
func (v Value) Bool() (b, ok bool) {
	return v.tag == TypeBool && v.raw != "\x00", v.tag == TypeBool
}

// Int64 gives any of the integer types.
func (v Value) Int64() (int64, bool) { return integer(v.tag, v.raw) }

// integer decodes by the width of the type, with its sign.
func integer[T string | []byte](tag byte, raw T) (int64, bool) {
	n := number(raw)
	switch tag {
	case TypeInt8:
		return int64(int8(n)), true
	case TypeInt16:
		return int64(int16(n)), true
	case TypeInt32:
		return int64(int32(n)), true
	case TypeUint8, TypeUint16, TypeUint32, TypeInt64, TypeInt64Alt:
		return int64(n), true
	}
	return 0, false
}

// Float64 gives an 'f' or 'd'.
func (v Value) Float64() (float64, bool) {
	switch v.tag {
	case TypeFloat32:
		return float64(math.Float32frombits(uint32(number(v.raw)))), true
	case TypeFloat64:
		return math.Float64frombits(number(v.raw)), true
	}
	return 0, false
}

// Decimal gives a 'D': unscaled divided by 10 to the power of scale.
func (v Value) Decimal() (scale uint8, unscaled uint32, ok bool) {
	n := number(v.raw)
	if v.tag != TypeDecimal {
		return 0, 0, false
	}
	return uint8(n >> 32), uint32(n), true
}

// Time gives a 'T' in UTC. Seconds that time.Time cannot count give some time.
func (v Value) Time() (time.Time, bool) {
	if v.tag != TypeTimestamp {
		return time.Time{}, false
	}
	return time.Unix(int64(number(v.raw)), 0).UTC(), true
}

// Text gives an 'S'. It is not checked to be UTF-8.
func (v Value) Text() (string, bool) {
	if v.tag != TypeString {
		return "", false
	}
	return v.raw, true
}

// Bytes gives a copy of an 'x'.
func (v Value) Bytes() ([]byte, bool) {
	if v.tag != TypeBytes {
		return nil, false
	}
	return []byte(v.raw), true
}

// Table decodes an 'F'; its values share v's memory.
func (v Value) Table() (Table, bool) {
	if v.tag != tagTable {
		return nil, false
	}
	return splitTable(v.raw), true
}

// Array decodes an 'A'; its values share v's memory.
func (v Value) Array() ([]Value, bool) {
	if v.tag != tagArray {
		return nil, false
	}
	return splitArray(v.raw), true
}

// IsVoid says whether it is a 'V'.
func (v Value) IsVoid() bool { return v.tag == tagVoid }
