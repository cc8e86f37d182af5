package wire

import (
	"encoding/binary"
	"math"
)

// maxShortstr is the longest short string in octets.
const maxShortstr = 255

func appendOctet(dst []byte, v uint8) []byte { return append(dst, v) }

func appendShort(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }

func appendCode(dst []byte, v Code) []byte { return appendShort(dst, uint16(v)) }

func appendLong(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

func appendLonglong(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

func appendShortstr[T ~string | ~[]byte](dst []byte, v T) ([]byte, error) {
	if len(v) > maxShortstr {
		return dst, ErrShortstr
	}
	return append(append(dst, byte(len(v))), v...), nil
}

func appendLongstr[T ~string | ~[]byte](dst []byte, v T) ([]byte, error) {
	if uint64(len(v)) > math.MaxUint32 {
		return dst, ErrLongstr
	}
	return append(appendLong(dst, uint32(len(v))), v...), nil
}

// bit gives v as bit n of an octet.
func bit(v bool, n uint) byte {
	if v {
		return 1 << n
	}
	return 0
}
