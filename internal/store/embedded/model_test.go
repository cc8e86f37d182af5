package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// model is what a shard should hold.
type model map[string][]byte

// effects adds random ones to a batch and to the model.
func (m model) effects(r *rand.Rand, b *store.Batch) {
	key := func() []byte { return fmt.Appendf(nil, "%03d", r.IntN(200)) }
	for range 1 + r.IntN(6) {
		k := key()
		switch r.IntN(10) {
		case 0:
			upper := key()
			b.DeleteRange(k, upper)
			maps.DeleteFunc(m, func(key string, _ []byte) bool {
				return string(k) <= key && key < string(upper)
			})
		case 1, 2, 3:
			b.Delete(k)
			delete(m, string(k))
		default:
			value := make([]byte, r.IntN(3)*r.IntN(300))
			for i := range value {
				value[i] = byte(r.Uint32())
			}
			if _, ok := m[string(k)]; ok {
				b.SetJoined(k, value[:len(value)/2], value[len(value)/2:])
			} else {
				b.InsertJoined(k, value[:len(value)/2], value[len(value)/2:])
			}
			m[string(k)] = value
		}
	}
}

// like fails the test unless the snapshot shows the model, as a whole, from some key to
// another, and at some key.
func (m model) like(t *testing.T, r *rand.Rand, snap store.Snapshot) {
	t.Helper()
	bound := func() []byte { return fmt.Appendf(nil, "%03d", r.IntN(201)) }
	for _, bounds := range [][2][]byte{{nil, nil}, {bound(), bound()}} {
		it := snap.Iter(bounds[0], bounds[1])
		var want []string
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if key >= string(bounds[0]) && (bounds[1] == nil || key < string(bounds[1])) {
				want = append(want, key)
			}
		}
		n := 0
		for ; it.Next(); n++ {
			if n >= len(want) || string(it.Key()) != want[n] ||
				!bytes.Equal(it.Value(), m[want[n]]) {
				t.Fatalf("key %d from %q to %q is %q", n, bounds[0], bounds[1], it.Key())
			}
		}
		if err := it.Close(); err != nil || n != len(want) {
			t.Fatalf("%d keys of %d, %v", n, len(want), err)
		}
	}
	key := bound()
	want, there := m[string(key)]
	v, ok, err := snap.Get(key)
	if err != nil || ok != there || !bytes.Equal(v, want) {
		t.Fatalf("%q: %d bytes, %v, %v, want %d, %v", key, len(v), ok, err, len(want), there)
	}
}

// TestModel writes at random, with flushes all the time, and looks at snapshots of now
// and before, also after restarts.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(max(1, 8/stride)) {
		disk, now := storetest.NewDisk(), model{}
		r := rand.New(rand.NewPCG(seed, 5))
		for range 4 {
			e, err := embedded.Open(embedded.Config{
				Dir: "/store", FS: disk, Shards: 2, CacheBytes: 1 << 20, FlushBytes: 8 << 10,
				Fatal: func(err error) { t.Errorf("fatal: %v", err) },
			})
			if err != nil {
				t.Fatal(err)
			}
			modelLife(t, r, e, now)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func modelLife(t *testing.T, r *rand.Rand, e *embedded.Engine, now model) {
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	type held struct {
		store.Snapshot
		model
	}
	var old []held
	drop := func(i int) {
		if err := old[i].Close(); err != nil {
			t.Error(err)
		}
		old = slices.Delete(old, i, i+1)
	}
	for range 400 {
		b, done := new(store.Batch), make(chan error, 1)
		now.effects(r, b)
		s.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		switch r.IntN(4) {
		case 0:
			old = append(old, held{s.Snapshot(), maps.Clone(now)})
		case 1:
			if len(old) > 0 {
				i := r.IntN(len(old))
				old[i].like(t, r, old[i])
			}
		case 2:
			if len(old) > 5 {
				drop(r.IntN(len(old)))
			}
		}
	}
	for len(old) > 0 {
		old[0].like(t, r, old[0])
		drop(0)
	}
	if e.Work().Flushes == 0 {
		t.Error("nothing was flushed")
	}
}
