package wire

import (
	"encoding/binary"
	"math"
)

// list writes the fields of a composite value. Nulls are held back until a value
// follows, so that none stand at the end.
type list struct {
	dst          []byte
	start        int // of the list's format code
	count, nulls int
}

// listHead is what stands before the elements of a short list.
const listHead = 3

func openList(dst []byte, code Code) list {
	dst = append(dst, codeDescribed, codeSmallUlong, byte(code))
	w := list{dst: dst, start: len(dst)}
	w.dst = append(w.dst, codeList8, 0, 0)
	return w
}

// close writes the size and the count.
func (w *list) close() []byte {
	size := len(w.dst) - w.start - listHead + 1
	switch {
	case w.count == 0:
		return append(w.dst[:w.start], codeList0)
	case size <= math.MaxUint8 && w.count <= math.MaxUint8:
		w.dst[w.start+1], w.dst[w.start+2] = byte(size), byte(w.count)
		return w.dst
	}
	w.dst = append(w.dst, 0, 0, 0, 0, 0, 0)
	head := w.dst[w.start:]
	copy(head[9:], head[listHead:len(head)-6])
	head[0] = codeList32
	binary.BigEndian.PutUint32(head[1:], uint32(size+3))
	binary.BigEndian.PutUint32(head[5:], uint32(w.count))
	return w.dst
}

func (w *list) null() { w.nulls++ }

// value makes room for a field that is not null.
func (w *list) value() {
	for ; w.nulls > 0; w.nulls-- {
		w.dst = append(w.dst, codeNull)
		w.count++
	}
	w.count++
}

// yes writes a boolean that is false when it is missing.
func (w *list) yes(v bool) {
	if !v {
		w.null()
		return
	}
	w.bool(v)
}

func (w *list) bool(v bool) {
	w.value()
	w.dst = AppendBool(w.dst, v)
}

func (w *list) ubyte(v uint8) {
	w.value()
	w.dst = append(w.dst, codeUbyte, v)
}

func (w *list) ushort(v uint16) {
	w.value()
	w.dst = append(w.dst, codeUshort, byte(v>>8), byte(v))
}

func (w *list) uint(v uint32) {
	w.value()
	w.dst = AppendUint(w.dst, v)
}

func (w *list) ulong(v uint64) {
	w.value()
	w.dst = AppendUlong(w.dst, v)
}

func (w *list) timestamp(v int64) {
	w.value()
	w.dst = AppendTimestamp(w.dst, v)
}

func (w *list) binary(v []byte) {
	if v == nil {
		w.null()
		return
	}
	w.value()
	w.dst = AppendBinary(w.dst, v)
}

func (w *list) string(v []byte) {
	if v == nil {
		w.null()
		return
	}
	w.value()
	w.dst = AppendString(w.dst, v)
}

func (w *list) symbol(v []byte) {
	if v == nil {
		w.null()
		return
	}
	w.value()
	w.dst = AppendSymbol(w.dst, v)
}

func (w *list) mapping(v Raw) { w.any(v) }

func (w *list) any(v Raw) {
	if len(v) == 0 {
		w.null()
		return
	}
	w.value()
	w.dst = append(w.dst, v...)
}

// AppendNull appends a null.
func AppendNull(dst []byte) []byte { return append(dst, codeNull) }

// AppendBool appends a boolean.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// AppendUbyte appends a ubyte.
func AppendUbyte(dst []byte, v uint8) []byte { return append(dst, codeUbyte, v) }

// AppendUint appends a uint.
func AppendUint(dst []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(dst, codeUint0)
	case v <= math.MaxUint8:
		return append(dst, codeSmallUint, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(dst, codeUint), v)
}

// AppendUlong appends a ulong.
func AppendUlong(dst []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(dst, codeUlong0)
	case v <= math.MaxUint8:
		return append(dst, codeSmallUlong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeUlong), v)
}

// AppendLong appends a long.
func AppendLong(dst []byte, v int64) []byte {
	if v >= math.MinInt8 && v <= math.MaxInt8 {
		return append(dst, codeSmallLong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeLong), uint64(v))
}

// AppendDouble appends a double.
func AppendDouble(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, codeDouble), math.Float64bits(v))
}

// AppendTimestamp appends a time in milliseconds since 1970.
func AppendTimestamp(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, codeTimestamp), uint64(v))
}

func appendVariable[T ~string | ~[]byte](dst []byte, short, long byte, v T) []byte {
	if len(v) <= math.MaxUint8 {
		dst = append(dst, short, byte(len(v)))
	} else {
		dst = binary.BigEndian.AppendUint32(append(dst, long), uint32(len(v)))
	}
	return append(dst, v...)
}

// AppendBinary appends a binary value.
func AppendBinary[T ~string | ~[]byte](dst []byte, v T) []byte {
	return appendVariable(dst, codeBinary8, codeBinary32, v)
}

// AppendString appends a string, which must be UTF-8.
func AppendString[T ~string | ~[]byte](dst []byte, v T) []byte {
	return appendVariable(dst, codeString8, codeString32, v)
}

// AppendSymbol appends a symbol, which must be ASCII.
func AppendSymbol[T ~string | ~[]byte](dst []byte, v T) []byte {
	return appendVariable(dst, codeSymbol8, codeSymbol32, v)
}

// AppendSymbols appends an array of symbols.
func AppendSymbols(dst []byte, list ...string) []byte {
	size := 4 + 1
	for _, s := range list {
		size += 4 + len(s)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, codeArray32), uint32(size))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(list)))
	dst = append(dst, codeSymbol32)
	for _, s := range list {
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
	}
	return dst
}

// AppendStrings appends an array of strings, which must be UTF-8.
func AppendStrings(dst []byte, list ...string) []byte {
	at := len(dst)
	dst = AppendSymbols(dst, list...)
	dst[at+9] = codeString32
	return dst
}

// openCompound begins a list or map of which the caller then appends the elements.
func openCompound(dst []byte, code byte) (_ []byte, at int) {
	at = len(dst)
	return append(dst, code, 0, 0, 0, 0, 0, 0, 0, 0), at
}

// closeCompound writes the size and the number of elements.
func closeCompound(dst []byte, at, count int) []byte {
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-5))
	binary.BigEndian.PutUint32(dst[at+5:], uint32(count))
	return dst
}

// OpenMap begins a map. The caller appends keys and values, and then calls CloseMap.
func OpenMap(dst []byte) (_ []byte, at int) { return openCompound(dst, codeMap32) }

// CloseMap ends a map that begins at an index, of so many pairs.
func CloseMap(dst []byte, at, pairs int) []byte { return closeCompound(dst, at, 2*pairs) }

// OpenList begins a list. The caller appends elements, and then calls CloseList.
func OpenList(dst []byte) (_ []byte, at int) { return openCompound(dst, codeList32) }

// CloseList ends a list that begins at an index, of so many elements.
func CloseList(dst []byte, at, count int) []byte { return closeCompound(dst, at, count) }

// AppendDescriptor begins a described value; what is described follows.
func AppendDescriptor(dst []byte, code Code) []byte {
	return append(dst, codeDescribed, codeSmallUlong, byte(code))
}

// AppendByte appends a byte.
func AppendByte(dst []byte, v int8) []byte { return append(dst, codeByte, byte(v)) }

// AppendShort appends a short.
func AppendShort(dst []byte, v int16) []byte {
	return append(dst, codeShort, byte(v>>8), byte(v))
}

// AppendUshort appends a ushort.
func AppendUshort(dst []byte, v uint16) []byte {
	return append(dst, codeUshort, byte(v>>8), byte(v))
}

// AppendInt appends an int.
func AppendInt(dst []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, codeInt), uint32(v))
}

// AppendFloat appends a float.
func AppendFloat(dst []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, codeFloat), math.Float32bits(v))
}

// AppendUUID appends a UUID.
func AppendUUID(dst []byte, v [16]byte) []byte {
	return append(append(dst, codeUUID), v[:]...)
}
