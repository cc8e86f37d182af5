package wire

// cell is a value cut out of its encoding, still encoded.
type cell[T string | []byte] struct {
	tag  byte
	data T
}

// cutField cuts one field off the front of a table's fields.
func cutField[T string | []byte](b T) (name T, v cell[T], rest T, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return name, v, rest, false
	}
	n := 1 + int(b[0])
	v, rest, ok = cutValue(b[n:])
	return b[1:n], v, rest, ok
}

// cutValue cuts one typed value off the front of b.
func cutValue[T string | []byte](b T) (v cell[T], rest T, ok bool) {
	if len(b) == 0 {
		return v, rest, false
	}
	v.tag, b = b[0], b[1:]
	n := uint64(0)
	switch v.tag {
	case TypeString, TypeBytes, tagTable, tagArray:
		if len(b) < tableHead {
			return v, rest, false
		}
		n, b = number(b[:tableHead]), b[tableHead:]
	case TypeBool, TypeInt8, TypeUint8:
		n = 1
	case TypeInt16, TypeUint16:
		n = 2
	case TypeInt32, TypeUint32, TypeFloat32:
		n = 4
	case TypeDecimal:
		n = 5
	case TypeInt64, TypeInt64Alt, TypeFloat64, TypeTimestamp:
		n = 8
	case TypeVoid:
		v.tag = tagVoid
	default:
		return v, rest, false
	}
	if n > uint64(len(b)) {
		return v, rest, false
	}
	v.data = b[:n]
	return v, b[n:], true
}

// number reads up to eight octets, the highest first.
func number[T string | []byte](b T) uint64 {
	var n uint64
	for i := range len(b) {
		n = n<<8 | uint64(b[i])
	}
	return n
}
