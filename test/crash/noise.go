package crash

import (
	"encoding/binary"
	"math/rand/v2"
)

// largeBody is the size of the largest bodies in octets, which need several frames,
// and the broker more than one piece.
const largeBody = 300 << 10

// noise gives what bodies are filled with.
func noise() []byte {
	b := make([]byte, largeBody)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], rng.Uint64())
	}
	return b
}
