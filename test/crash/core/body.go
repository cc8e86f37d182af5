package core

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
)

const (
	bodyHead = 8 + 4
	maxBody  = 700 << 10 // three parts of a large message
)

// noise gives what bodies are filled with.
func noise() []byte {
	b := make([]byte, maxBody)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], rng.Uint64())
	}
	return b
}

// body is id (8), checksum of all else (4), filler.
func body(id ID, filler []byte) []byte {
	b := make([]byte, bodyHead, bodyHead+len(filler))
	binary.BigEndian.PutUint64(b, uint64(id))
	b = append(b, filler...)
	binary.BigEndian.PutUint32(b[8:], checksum(b))
	return b
}

func checksum(b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(b[:8]), crc32.IEEETable, b[bodyHead:])
}

func parseBody(b []byte) (ID, error) {
	if len(b) < bodyHead || binary.BigEndian.Uint32(b[8:]) != checksum(b) {
		return 0, fmt.Errorf("body of %d octets is damaged", len(b))
	}
	return ID(binary.BigEndian.Uint64(b)), nil
}
