package brokertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

type pair struct{ key, value []byte }

// tampered puts messages 1 to 3 into queues q and r, changes what is stored with
// no core running, and opens a core over the result. entries are those of q, then
// those of r.
func tampered(t *testing.T, change func(b *store.Batch, entries, records []pair)) (*World, error) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	c := w.Client(broker.SessionConfig{})
	for _, name := range []string{"q", "r"} {
		w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
		if err := c.Send("", name, true, "1", "2", "3"); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	entries, records := stored(t, w, 0x10), stored(t, w, 0x01)
	if len(entries) != 6 || len(records) != 2 {
		t.Fatalf("%d entries and %d records are stored", len(entries), len(records))
	}
	b := &store.Batch{}
	change(b, entries, records)
	done := make(chan error, 1)
	w.Shard.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	next, err := open(t, e, w.Domain, broker.Config{})
	if err == nil {
		t.Cleanup(func() {
			if err := next.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	return next, err
}

func stored(t *testing.T, w *World, class byte) []pair {
	t.Helper()
	snap := w.Shard.Snapshot()
	it := snap.Iter([]byte{class}, []byte{class + 1})
	var list []pair
	for it.Next() {
		list = append(list, pair{bytes.Clone(it.Key()), bytes.Clone(it.Value())})
	}
	if err := errors.Join(it.Err(), it.Close(), snap.Close()); err != nil {
		t.Fatal(err)
	}
	return list
}

// served gives the texts that a consumer of the queue gets before the queue is
// found damaged, and the error that ends it.
func served(t *testing.T, w *World, queue string) ([]string, error) {
	t.Helper()
	c := w.Client(broker.SessionConfig{})
	defer func() {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	var texts []string
	for {
		d, left, ok, err := c.Get(t.Context(), w.Queue(queue), false)
		if err != nil || !ok {
			return texts, err
		}
		text, err := w.Text(&d)
		if err != nil {
			return texts, err
		}
		texts = append(texts, text)
		if left == 0 {
			return texts, nil
		}
	}
}

// halves splits a stored value into its sealed envelope and its record.
func halves(v []byte) (envelope, record []byte) {
	n := 4 + binary.BigEndian.Uint32(v)
	return v[:n], v[n:]
}

func TestTamperedEntries(t *testing.T) {
	t.Parallel()
	swap := func(b *store.Batch, x, y pair) {
		b.Set(x.key, y.value)
		b.Set(y.key, x.value)
	}
	join := func(x, y []byte) []byte { return append(bytes.Clone(x), y...) }
	for name, change := range map[string]func(b *store.Batch, e, _ []pair){
		"two entries swapped": func(b *store.Batch, e, _ []pair) { swap(b, e[0], e[1]) },
		"swapped over queues": func(b *store.Batch, e, _ []pair) { swap(b, e[0], e[3]) },
		"an entry copied over": func(b *store.Batch, e, _ []pair) {
			b.Set(e[0].key, e[2].value)
		},
		"an entry copied to the end": func(b *store.Batch, e, _ []pair) {
			b.Set(next(e[2].key), e[2].value)
		},
		"an entry deleted": func(b *store.Batch, e, _ []pair) { b.Delete(e[1].key) },
		"all entries deleted": func(b *store.Batch, e, _ []pair) {
			b.DeleteRange(e[0].key, e[3].key)
		},
		"an entry cut":   func(b *store.Batch, e, _ []pair) { b.Set(e[0].key, e[0].value[:20]) },
		"an empty entry": func(b *store.Batch, e, _ []pair) { b.Set(e[0].key, nil) },
		"a key of another length": func(b *store.Batch, e, _ []pair) {
			b.Set(append(e[0].key, 0), e[0].value)
		},
		"records of entries swapped":   nil,
		"record of an earlier publish": nil,
	} {
		if change == nil {
			change = func(b *store.Batch, e, _ []pair) {
				env0, rec0 := halves(e[0].value)
				env1, rec1 := halves(e[1].value)
				b.Set(e[0].key, join(env0, rec1))
				if strings.HasPrefix(name, "records") {
					b.Set(e[1].key, join(env1, rec0))
				}
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := tampered(t, change)
			if err != nil {
				t.Fatal(err)
			}
			checkDamaged(t, w)
		})
	}
}

// checkDamaged wants an error that names the damage, nothing wrong served, and a
// purge to make the queue usable again.
func checkDamaged(t *testing.T, w *World) {
	t.Helper()
	if name := t.Name(); strings.HasSuffix(name, "the_end") {
		// It lies beyond what the record knows, so nobody reads it.
		if texts, err := served(t, w, "q"); err != nil || strings.Join(texts, "") != "123" {
			t.Fatalf("served %q, %v", texts, err)
		}
		return
	}
	texts, err := served(t, w, "q")
	if !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("served %q and error %v", texts, err)
	}
	if got := strings.Join(texts, ""); !strings.HasPrefix("123", got) {
		t.Fatalf("served %q", texts)
	}
	if _, err := w.Namespace.PurgeQueue(t.Context(), w.Queue("q")); err != nil {
		t.Fatal(err)
	}
	c := w.Client(broker.SessionConfig{})
	if err := c.Send("", "q", true, "4"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if texts, err := served(t, w, "q"); err != nil || strings.Join(texts, "") != "4" {
		t.Fatalf("after a purge: served %q, %v", texts, err)
	}
}

func next(key []byte) []byte {
	key = bytes.Clone(key)
	key[len(key)-1]++
	return key
}

// TestFlippedBytes flips one bit in each byte of a stored message: it must never
// be served.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	size := 0
	for at := 0; at == 0 || at < size; at++ {
		w, err := tampered(t, func(b *store.Batch, e, _ []pair) {
			size = len(e[0].value)
			v := bytes.Clone(e[0].value)
			v[at] ^= 0x10
			b.Set(e[0].key, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		if texts, err := served(t, w, "q"); err == nil || len(texts) > 0 {
			t.Fatalf("with byte %d of %d flipped %q was served: %v", at, size, texts, err)
		}
	}
}

func TestTamperedRecords(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *store.Batch, _, r []pair){
		"swapped": func(b *store.Batch, _, r []pair) {
			b.Set(r[0].key, r[1].value)
		},
		"flipped": func(b *store.Batch, _, r []pair) {
			v := bytes.Clone(r[0].value)
			v[len(v)/2] ^= 1
			b.Set(r[0].key, v)
		},
		"cut":     func(b *store.Batch, _, r []pair) { b.Set(r[0].key, r[0].value[:9]) },
		"deleted": func(b *store.Batch, _, r []pair) { b.Delete(r[0].key) },
		"key":     func(b *store.Batch, _, r []pair) { b.Set(append(r[0].key, 0), r[0].value) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := tampered(t, change); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("opened with error %v", err)
			}
		})
	}
}

// TestNothingReadable looks for names, keys and bodies in all that is stored.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	const marker = "Marker-7d1f"
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), Tiny())
	ctx := t.Context()
	a := broker.Address{Name: marker, Kind: broker.Direct, Durable: true, Arguments: []byte(marker)}
	if _, _, err := w.Namespace.DeclareAddress(ctx, a); err != nil {
		t.Fatal(err)
	}
	for _, durable := range []bool{true, false} {
		name := fmt.Sprint(marker, durable)
		spec := broker.QueueSpec{Name: name, Durable: durable, Arguments: []byte(marker)}
		w.Declare(nil, spec)
		err := w.Namespace.Bind(ctx, broker.Binding{Source: marker, Queue: name, Key: marker})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := w.Client(broker.SessionConfig{})
	texts := slices.Repeat([]string{marker}, 200)
	if err := c.Send(marker, marker, true, texts...); err != nil {
		t.Fatal(err)
	}
	if w.Core.Stats().Spilled == 0 {
		t.Fatal("nothing was spilled")
	}
	zero, err := e.Open(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, sh := range []store.Shard{zero, w.Shard} {
		for class := range 255 {
			for _, p := range stored(t, &World{Shard: sh}, byte(class)) {
				if bytes.Contains(slices.Concat(p.key, p.value), []byte(marker)) {
					t.Fatalf("key %x shows the marker", p.key)
				}
			}
		}
	}
	if err := errors.Join(c.Close(ctx), w.Stop()); err != nil {
		t.Fatal(err)
	}
}
