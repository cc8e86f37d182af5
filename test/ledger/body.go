package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const bodyHead = 4 + 8 + 4 // octets

// AppendBody appends publisher (4), sequence (8), checksum (4), filler.
func AppendBody(dst []byte, id ID, filler []byte) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, id.Publisher)
	dst = binary.BigEndian.AppendUint64(dst, id.Seq)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, filler...)
	binary.BigEndian.PutUint32(dst[at+bodyHead-4:], checksum(dst[at:]))
	return dst
}

func checksum(b []byte) uint32 {
	sum := crc32.ChecksumIEEE(b[:bodyHead-4])
	return crc32.Update(sum, crc32.IEEETable, b[bodyHead:])
}

// ParseBody gives the message that a body is of, if nothing of it was changed.
func ParseBody(b []byte) (ID, error) {
	if len(b) < bodyHead || binary.BigEndian.Uint32(b[bodyHead-4:]) != checksum(b) {
		return ID{}, fmt.Errorf("body of %d octets is damaged", len(b))
	}
	return ID{binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:])}, nil
}
