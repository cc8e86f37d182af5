package wire

import "encoding/binary"

// Raw is one encoded value; nil is none. What Parse gives is well formed.
type Raw []byte

// Format codes (part 1, section 1.6).
const (
	codeDescribed  = 0x00
	codeNull       = 0x40
	codeTrue       = 0x41
	codeFalse      = 0x42
	codeUint0      = 0x43
	codeUlong0     = 0x44
	codeList0      = 0x45
	codeUbyte      = 0x50
	codeByte       = 0x51
	codeSmallUint  = 0x52
	codeSmallUlong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBoolean    = 0x56
	codeUshort     = 0x60
	codeShort      = 0x61
	codeUint       = 0x70
	codeInt        = 0x71
	codeFloat      = 0x72
	codeChar       = 0x73
	codeDecimal32  = 0x74
	codeUlong      = 0x80
	codeLong       = 0x81
	codeDouble     = 0x82
	codeTimestamp  = 0x83
	codeDecimal64  = 0x84
	codeDecimal128 = 0x94
	codeUUID       = 0x98
	codeBinary8    = 0xa0
	codeString8    = 0xa1
	codeSymbol8    = 0xa3
	codeBinary32   = 0xb0
	codeString32   = 0xb1
	codeSymbol32   = 0xb3
	codeList8      = 0xc0
	codeMap8       = 0xc1
	codeList32     = 0xd0
	codeMap32      = 0xd1
	codeArray8     = 0xe0
	codeArray32    = 0xf0
)

// Bounds of values.
const (
	MaxDepth = 32      // of lists, maps, arrays and descriptions in each other
	maxEmpty = 1 << 16 // elements of an array that take no octets each
)

// known reports whether a format code is one of the specification's.
func known(code byte) bool {
	switch code {
	case codeNull, codeTrue, codeFalse, codeUint0, codeUlong0, codeList0, codeUbyte, codeByte,
		codeSmallUint, codeSmallUlong, codeSmallInt, codeSmallLong, codeBoolean, codeUshort,
		codeShort, codeUint, codeInt, codeFloat, codeChar, codeDecimal32, codeUlong, codeLong,
		codeDouble, codeTimestamp, codeDecimal64, codeDecimal128, codeUUID, codeBinary8,
		codeString8, codeSymbol8, codeBinary32, codeString32, codeSymbol32, codeList8, codeMap8,
		codeList32, codeMap32, codeArray8, codeArray32:
		return true
	}
	return false
}

// Next splits the first value off b. It is well formed in all its depth.
func Next(b []byte) (v Raw, rest []byte, err error) {
	n, err := measure(b, MaxDepth)
	if err != nil {
		return nil, b, err
	}
	return Raw(b[:n:n]), b[n:], nil
}

// Validate reports whether b is exactly one well-formed value.
func Validate(b []byte) error {
	_, rest, err := Next(b)
	if err == nil && len(rest) > 0 {
		err = undecodable("%d octets after a value", len(rest))
	}
	return err
}

// measure gives the octets of the value at the beginning of b.
func measure(b []byte, depth int) (int, error) {
	if len(b) == 0 {
		return 0, undecodable("a value is missing")
	}
	if depth == 0 {
		return 0, undecodable("values are nested more than %d deep", MaxDepth)
	}
	if b[0] == codeDescribed {
		d, err := measure(b[1:], depth-1)
		if err != nil {
			return 0, err
		}
		v, err := measure(b[1+d:], depth-1)
		return 1 + d + v, err
	}
	n, err := measureData(b[0], b[1:], depth)
	return 1 + n, err
}

// measureData gives the octets of the data of a value with that format code.
func measureData(code byte, b []byte, depth int) (int, error) {
	if !known(code) {
		return 0, undecodable("unknown format code 0x%02x", code)
	}
	n, head := 0, 0
	switch code >> 4 {
	case 0x4:
	case 0x5:
		n = 1
	case 0x6:
		n = 2
	case 0x7:
		n = 4
	case 0x8:
		n = 8
	case 0x9:
		n = 16
	case 0xa, 0xc, 0xe:
		head = 1
	default:
		head = 4
	}
	if head > 0 {
		if len(b) < head {
			return 0, undecodable("a value of format 0x%02x is cut off", code)
		}
		n = head + size(b, head)
	}
	if n > len(b) {
		return 0, undecodable("a value of format 0x%02x is cut off", code)
	}
	switch code >> 4 {
	case 0xc, 0xd:
		return n, checkCompound(code, b[head:n], head, depth)
	case 0xe, 0xf:
		return n, checkArray(b[head:n], head, depth)
	}
	if code == codeBoolean && b[0] > 1 {
		return 0, undecodable("a boolean is %d", b[0])
	}
	return n, nil
}

// size reads a size or count of that many octets.
func size(b []byte, octets int) int {
	if octets == 1 {
		return int(b[0])
	}
	return int(binary.BigEndian.Uint32(b))
}

// checkCompound checks the count and the elements of a list or map.
func checkCompound(code byte, b []byte, head, depth int) error {
	if len(b) < head {
		return undecodable("a list or map without a count")
	}
	count := size(b, head)
	b = b[head:]
	isMap := code == codeMap8 || code == codeMap32
	if isMap && count%2 != 0 {
		return undecodable("a map of %d keys and values", count)
	}
	for ; count > 0; count-- {
		n, err := measure(b, depth-1)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if len(b) > 0 {
		return undecodable("%d octets after the last element", len(b))
	}
	return nil
}

// checkArray checks the constructor and the elements of an array.
func checkArray(b []byte, head, depth int) error {
	if len(b) < head {
		return undecodable("an array without a count")
	}
	count := size(b, head)
	code, b, err := constructor(b[head:], depth-1)
	if err != nil {
		return err
	}
	if code>>4 == 0x4 && count > maxEmpty {
		return undecodable("an array of %d empty elements", count)
	}
	for ; count > 0; count-- {
		n, err := measureData(code, b, depth-1)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if len(b) > 0 {
		return undecodable("%d octets after the last element", len(b))
	}
	return nil
}

// constructor reads the constructor of an array's elements.
func constructor(b []byte, depth int) (code byte, rest []byte, err error) {
	for ; ; depth-- {
		switch {
		case len(b) == 0:
			return 0, nil, undecodable("an array without a constructor")
		case depth <= 0:
			return 0, nil, undecodable("values are nested more than %d deep", MaxDepth)
		case b[0] != codeDescribed:
			return b[0], b[1:], nil
		}
		n, err := measure(b[1:], depth)
		if err != nil {
			return 0, nil, err
		}
		b = b[1+n:]
	}
}
