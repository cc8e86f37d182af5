package broker

import (
	"bytes"
	"errors"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/store"
)

func FuzzSighting(f *testing.F) {
	s := sighting{message: [16]byte{1, 2}, sequence: 7}
	f.Add(s.append(nil))
	f.Add(s.append(nil)[:20])
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := parseSighting(p)
		if err != nil {
			if !errors.Is(err, seal.ErrFormat) {
				t.Fatalf("error %v is not one of the format", err)
			}
			return
		}
		if !bytes.Equal(s.append(nil), p) {
			t.Fatalf("%x is written as %x", p, s.append(nil))
		}
	})
}

func FuzzDedupKey(f *testing.F) {
	f.Add(dedupKey(nil, 7, 1700, [16]byte{9}))
	f.Add([]byte{byte(classDedup)})
	f.Fuzz(func(t *testing.T, p []byte) {
		id, expires, mac, err := parseDedupKey(p)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("error %v is not one of damage", err)
			}
			return
		}
		if !bytes.Equal(dedupKey(nil, id, expires, mac), p) {
			t.Fatalf("%x is written as %x", p, dedupKey(nil, id, expires, mac))
		}
	})
}

// TestIDsGoInSlices lets more ids expire than one slice takes, many of them in
// one millisecond.
func TestIDsGoInSlices(t *testing.T) {
	t.Parallel()
	p, _ := testPlace(t)
	sh := &shard{core: &Core{}, place: *p, batch: &batch{}}
	sh.core.cfg.defaults()
	q := newQueue(&Namespace{shard: sh}, QueueSpec{Name: "q", Durable: true})
	q.state.limits.Dedup = 10
	const n = 3 * dedupSlice
	for i := range n {
		sh.time = int64(i/dedupSlice) * 3 / 2 // 0, 1, 3
		m := Message{Durable: true, Dedup: [16]byte{byte(i), byte(i >> 8), byte(i >> 16)}}
		sh.remember(q, &m, sighting{sequence: uint64(i + 1)})
	}
	sh.batch.Reset()
	sh.time = 13
	slices := 0
	for ; q.state.dedup.order.len() > 0; slices++ {
		sh.expireIDs(q, 0)
	}
	if slices != 3 || sh.ids.Load() != 0 || q.state.dedup.seen != nil {
		t.Fatalf("%d slices, %d ids left", slices, sh.ids.Load())
	}
	// Each range begins where the one before ended.
	at := int64(10)
	for _, op := range sh.batch.Ops() {
		_, from, _, err := parseDedupKey(op.Key)
		_, to, _, err2 := parseDedupKey(op.Value)
		if err != nil || err2 != nil || from != at || to <= from {
			t.Fatalf("range from %d to %d after %d: %v %v", from, to, at, err, err2)
		}
		at = to
	}
	if at != 14 {
		t.Fatalf("ranges end at %d", at)
	}
}

func FuzzQuota(f *testing.F) {
	q := Quota{MaxMessages: AtMost(3), MaxQueues: AtMost(0)}
	f.Add(q.append(nil))
	f.Add(q.append(nil)[:9])
	f.Fuzz(func(t *testing.T, p []byte) {
		q, err := parseQuota(p)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("error %v is not one of damage", err)
			}
			return
		}
		if !bytes.Equal(q.append(nil), p) {
			t.Fatalf("%x is written as %x", p, q.append(nil))
		}
	})
}
