package buffer

import (
	"bytes"
	"runtime"
	"testing"
)

// TestPoolGrow grows a buffer in steps, as a body comes, and finds in it what it was
// given, whatever memory it gets.
func TestPoolGrow(t *testing.T) {
	t.Parallel()
	var p Pool
	for round := range 3 {
		var b, want []byte
		for i := range 40 {
			part := bytes.Repeat([]byte{byte(round*40 + i)}, i*1500)
			b = p.Grow(b, len(part))
			if cap(b)-len(b) < len(part) {
				t.Fatalf("no room for %d octets behind %d", len(part), len(b))
			}
			b, want = append(b, part...), append(want, part...)
		}
		if !bytes.Equal(b, want) {
			t.Errorf("round %d: it holds something else", round)
		}
		p.Put(b)
	}
}

// TestPoolLends grows a large buffer again and again, which must not take new memory each
// time. The runtime may drop some of a pool, so a part of it is enough.
func TestPoolLends(t *testing.T) {
	var p Pool
	const size, rounds = 1 << 20, 400
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		p.Put(p.Grow(nil, size))
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size*rounds/2 {
		t.Errorf("%d octets were allocated for %d times %d", n, rounds, size)
	}
}

// TestRecycle keeps what a connection may keep.
func TestRecycle(t *testing.T) {
	t.Parallel()
	var p Pool
	if b := p.Recycle(make([]byte, 10, keepOutput)); cap(b) != keepOutput || len(b) != 0 {
		t.Errorf("it keeps %d of %d octets", len(b), cap(b))
	}
	if b := p.Recycle(make([]byte, 10, keepOutput+1)); b != nil {
		t.Errorf("it keeps %d octets", cap(b))
	}
}
