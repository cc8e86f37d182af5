package broker

import (
	"encoding/binary"
	"testing"
)

// TestMessageID: ids are of version 7 with the time in front, and none is made twice.
func TestMessageID(t *testing.T) {
	t.Parallel()
	const milli, many = 0x0123456789ab, 10_000
	seen := map[[16]byte]bool{}
	var ones, zeros [16]byte // bits that were ever set, and ever not
	for range many {
		id := newMessageID(milli)
		at := binary.BigEndian.Uint64(id[:8])
		if at>>16 != milli || id[6]>>4 != 7 || id[8]>>6 != 0b10 || seen[id] {
			t.Fatalf("got %x, again: %v", id, seen[id])
		}
		seen[id] = true
		for i, b := range id {
			ones[i] |= b
			zeros[i] |= ^b
		}
	}
	random := [16]byte{6: 0x0f, 7: 0xff, 8: 0x3f}
	for i := 9; i < 16; i++ {
		random[i] = 0xff
	}
	for i, want := range random {
		if got := ones[i] & zeros[i]; got != want {
			t.Errorf("byte %d: bits %08b are random, want %08b", i, got, want)
		}
	}
}
