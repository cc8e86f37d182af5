package crash

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
)

// Sizes of bodies in octets. The largest ones need several frames, and the
// broker more than one piece.
const (
	bodyHead  = 4 + 8 + 4
	largeBody = 300 << 10
)

// noise gives what bodies are filled with.
func noise() []byte {
	b := make([]byte, largeBody)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], rng.Uint64())
	}
	return b
}

// appendBody appends publisher (4), sequence (8), checksum (4), filler.
func appendBody(dst []byte, id ID, filler []byte) []byte {
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

func parseBody(b []byte) (ID, error) {
	if len(b) < bodyHead || binary.BigEndian.Uint32(b[bodyHead-4:]) != checksum(b) {
		return ID{}, fmt.Errorf("body of %d octets is damaged", len(b))
	}
	return ID{binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:])}, nil
}
