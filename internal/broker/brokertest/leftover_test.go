package brokertest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestLeftovers opens a shard with what only a crash leaves: transient messages
// that had been spilled, and the data of a queue that shard 0 has forgotten.
// Nothing of it may stay.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), Tiny())
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	w.Declare(nil, broker.QueueSpec{Name: "lost", Durable: true})
	c := w.Client(broker.SessionConfig{})
	texts := make([]string, 100)
	for i := range texts {
		texts[i] = "text"
	}
	for _, durable := range []bool{false, true} {
		if err := c.Send("", "lost", durable, texts...); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Send("", "q", false, texts...); err != nil {
		t.Fatal(err)
	}
	if w.Core.Stats().Spilled == 0 {
		t.Fatal("nothing was spilled")
	}
	crashed := e.Image()()
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	if keys(t, crashed) < 3*len(texts)/2 {
		t.Fatal("the crash left nothing to clear")
	}
	forget(t, crashed, 2) // ids are counted from 1
	sum, names := checked(t, crashed, 1)
	if sum.Leftover < int64(len(texts)) || len(names) > 0 {
		t.Errorf("a check finds %+v, damaged %q", sum, names)
	}
	w = Start(t, crashed, w.Domain, Tiny())
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	// The record of q is all that a queue shard may hold.
	if n := keys(t, crashed); n > 2 {
		t.Errorf("%d keys stay in the queue shard", n)
	}
}

// keys counts what is in the queue shard.
func keys(t *testing.T, e store.Engine) (n int) {
	t.Helper()
	s, err := e.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	it := snap.Iter(nil, nil)
	for it.Next() {
		n++
	}
	if err := errors.Join(it.Err(), it.Close(), snap.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

// forget takes the queue with that id out of shard 0, as its deletion does first.
func forget(t *testing.T, e store.Engine, queue uint64) {
	t.Helper()
	zero, err := e.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(t.Context(), zero, make([]byte, seal.KeySize), control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	err = db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableQueue, nil, func(id, _ []byte) error {
			if binary.BigEndian.Uint64(id[len(id)-8:]) == queue {
				found = true
				tx.Delete(control.TableQueue, bytes.Clone(id))
			}
			return nil
		})
	})
	if err != nil || !found {
		t.Fatal(found, err)
	}
}
