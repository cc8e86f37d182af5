package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// OpenDisk opens an engine on a file system. Its tables in memory should be
// small, so that a short script makes it write every kind of file. fatal is
// what the engine calls after a write error.
type OpenDisk func(fs vfs.FS, fatal func(error)) (store.Engine, error)

// scriptShards are those that a script writes to.
const scriptShards = 3

// scriptSessions are the batches of each session; the engine is closed and
// opened again between them.
var scriptSessions = []int{40, 20}

// A track is what a script did to one shard: the model after each batch, how
// many were proposed and how many acknowledged.
type track struct {
	models   []sortedMap // models[j] is the content after j batches
	proposed int
	acked    int
}

// A history is what a script did. It lives on when a session fails.
type history struct {
	mu     sync.Mutex
	tracks [scriptShards]track
	failed error // the first error that a done or a call gave
	random *rand.Rand

	inserted int // keys so far
}

func newHistory() *history {
	h := &history{random: rand.New(rand.NewPCG(3, 4))}
	for i := range h.tracks {
		h.tracks[i].models = []sortedMap{{}}
	}
	return h
}

// marks are bounds for what an image may hold.
type marks [scriptShards]int

func (h *history) acked() (m marks) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range m {
		m[i] = h.tracks[i].acked
	}
	return m
}

func (h *history) proposed() (m marks) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range m {
		m[i] = h.tracks[i].proposed
	}
	return m
}

// batch makes the next batch of a shard and notes what it leaves.
func (h *history) batch(shard int) *store.Batch {
	b := new(store.Batch)
	key := func() []byte { return fmt.Appendf(nil, "%02d", h.random.IntN(40)) }
	sizes := []int{10, 200, 900}
	if h.random.IntN(12) == 0 {
		sizes = []int{6_000} // so that the batch fills half of a table in memory
	}
	for range 3 {
		value := make([]byte, sizes[h.random.IntN(len(sizes))])
		for i := range value {
			value[i] = byte(h.random.Uint32())
		}
		b.Set(key(), value)
	}
	b.Delete(key())
	// What is new, and goes again some batches of the shard later.
	inserted := func(n int) []byte { return fmt.Appendf(nil, "i%d", n) }
	h.inserted++
	b.InsertJoined(inserted(h.inserted), make([]byte, 20), make([]byte, h.random.IntN(300)))
	b.Delete(inserted(h.inserted - 4*scriptShards))
	from := h.random.IntN(40)
	b.DeleteRange(fmt.Appendf(nil, "%02d", from), fmt.Appendf(nil, "%02d", from+4))

	h.mu.Lock()
	defer h.mu.Unlock()
	t := &h.tracks[shard]
	model := maps.Clone(t.models[len(t.models)-1])
	model.apply(b.Ops())
	t.models = append(t.models, model)
	t.proposed++
	return b
}

// done notes an acknowledgement.
func (h *history) done(shard int, wg *sync.WaitGroup) func(store.Position, error) {
	wg.Add(1)
	return func(_ store.Position, err error) {
		defer wg.Done()
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil {
			h.fail(err)
			return
		}
		h.tracks[shard].acked++
	}
}

// fail notes the first error; mu is held.
func (h *history) fail(err error) {
	if h.failed == nil {
		h.failed = err
	}
}

// play runs the sessions of the script and gives the first error.
func (h *history) play(disk vfs.FS, open OpenDisk, fatal func(error)) error {
	for _, batches := range scriptSessions {
		e, err := open(disk, fatal)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		err = h.session(e, batches)
		if err := errors.Join(err, e.Close()); err != nil {
			return err
		}
	}
	return nil
}

// session proposes batches to all shards, waits for them now and then, and
// takes a shard over in its middle.
func (h *history) session(e store.Engine, batches int) error {
	var shards [scriptShards]store.Shard
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := range batches {
		i := n % scriptShards
		if shards[i] == nil || n == batches/2 {
			s, err := e.Open(context.Background(), store.ShardID(i))
			if err != nil {
				return err
			}
			shards[i] = s
		}
		shards[i].Propose(h.batch(i), h.done(i, &wg))
		if n%10 == 9 {
			wg.Wait()
		}
		h.mu.Lock()
		failed := h.failed
		h.mu.Unlock()
		if failed != nil {
			return failed
		}
	}
	return nil
}

// compare reports the first difference between a model and a snapshot.
func (m sortedMap) compare(snap store.Snapshot) error {
	it := snap.Iter(nil, nil)
	defer it.Close()
	keys := slices.Sorted(maps.Keys(m))
	n := 0
	for ; it.Next(); n++ {
		if n == len(keys) || string(it.Key()) != keys[n] || string(it.Value()) != m[keys[n]] {
			return fmt.Errorf("key %d, %q, is wrong", n, it.Key())
		}
	}
	if n != len(keys) {
		return fmt.Errorf("%d keys, want %d", n, len(keys))
	}
	return it.Err()
}

// audit opens what a crash left and fails the test unless every shard holds
// the batches up to one not below acked and not above proposed, and works.
func (h *history) audit(
	t testing.TB, what string, disk vfs.FS, open OpenDisk, acked, proposed marks,
) {
	t.Helper()
	e, err := open(disk, func(err error) { t.Errorf("%s: fatal: %v", what, err) })
	if err != nil {
		t.Errorf("%s: open: %v", what, err)
		return
	}
	for i := range scriptShards {
		s := own(t, e, store.ShardID(i))
		snap := s.Snapshot()
		n := int(snap.Position().Index)
		if n < acked[i] || n > proposed[i] {
			t.Errorf("%s: shard %d holds %d batches; %d were acknowledged, %d proposed",
				what, i, n, acked[i], proposed[i])
		} else {
			h.mu.Lock()
			model := h.tracks[i].models[n]
			h.mu.Unlock()
			if err := model.compare(snap); err != nil {
				t.Errorf("%s: shard %d is not as batch %d left it: %v", what, i, n, err)
			}
		}
		closed(t, snap)
		if o := <-propose(s, write("alive", "yes")); o.err != nil {
			t.Errorf("%s: shard %d takes nothing: %v", what, i, o.err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("%s: close: %v", what, err)
	}
}
