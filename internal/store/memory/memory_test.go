package memory_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// subject gives an engine to storetest.
func subject(t testing.TB) storetest.Subject {
	return wrap(t, memory.New(memory.Config{Shards: 4}))
}

func wrap(t testing.TB, e *memory.Engine) storetest.Subject {
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return storetest.Subject{
		Engine: e,
		Hold:   e.Hold,
		Image: func() func(testing.TB) store.Engine {
			open := e.Image()
			return func(testing.TB) store.Engine { return open() }
		},
		Reopen: func(testing.TB) store.Engine { return e.Image()() },
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, subject)
}

// TestFailBatch lets a batch fail in both ways and opens the shard again.
func TestFailBatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		failure error
		left    string
	}{
		{store.ErrUnknown, "2"},
		{store.ErrLost, "1"},
	} {
		e := memory.New(memory.Config{})
		s := take(t, e)
		e.FailBatch(1, 2, c.failure)
		errs := make(chan error, 3)
		for _, value := range []string{"1", "2", "3"} {
			b := new(store.Batch)
			b.Set([]byte("key"), []byte(value))
			s.Propose(b, func(_ store.Position, err error) { errs <- err })
		}
		if err := <-errs; err != nil {
			t.Errorf("%v: the batch before: %v", c.failure, err)
		}
		if err := <-errs; !errors.Is(err, c.failure) {
			t.Errorf("%v: the batch that fails: %v", c.failure, err)
		}
		if err := <-errs; !errors.Is(err, store.ErrLost) {
			t.Errorf("%v: the batch behind: %v", c.failure, err)
		}
		<-s.Lost()
		s = take(t, e)
		if v, _, err := s.Snapshot().Get([]byte("key")); string(v) != c.left || err != nil {
			t.Errorf("%v: %s is left, %v, want %s", c.failure, v, err, c.left)
		}
	}
}

// TestInsertTwice inserts a key that has a value: the shard fails, and nothing of the
// batch is there. One whose value goes in the same batch may be inserted.
func TestInsertTwice(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{})
	s := take(t, e)
	for n, want := range []error{nil, nil, store.ErrExists} {
		b := new(store.Batch)
		b.Set([]byte("n"), []byte{byte(n)})
		if n == 1 {
			b.Delete([]byte("key"))
		}
		b.InsertJoined([]byte("key"), nil, []byte("value"))
		done := make(chan error, 1)
		s.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; !errors.Is(err, want) {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	<-s.Lost()
	if v, _, err := take(t, e).Snapshot().Get([]byte("n")); len(v) != 1 || v[0] != 1 || err != nil {
		t.Errorf("%v is left, %v", v, err)
	}
}

func take(t testing.TB, e store.Engine) store.Shard {
	t.Helper()
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestImage takes an image while a batch is held back and opens it twice.
func TestImage(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{})
	s := take(t, e)
	done := make(chan error, 2)
	b := new(store.Batch)
	b.Set([]byte("durable"), nil)
	s.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	release := e.Hold()
	b = new(store.Batch)
	b.Set([]byte("held"), nil)
	s.Propose(b, func(_ store.Position, err error) { done <- err })
	open := e.Image()
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		left := take(t, open()).Snapshot()
		_, durable, _ := left.Get([]byte("durable"))
		_, held, _ := left.Get([]byte("held"))
		if !durable || held {
			t.Errorf("the durable batch is there: %v, the held one: %v", durable, held)
		}
	}
}

// TestOpenWaits opens a shard again while its owner's batch is held back.
func TestOpenWaits(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{})
	s := take(t, e)
	release := e.Hold()
	s.Propose(new(store.Batch), nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Open(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("open while a batch is held: %v", err)
	}
	<-s.Lost()
	release()
	if pos := take(t, e).Durable(); pos.Index != 1 {
		t.Errorf("the new owner begins at %v", pos)
	}
}

// TestKeysInOrder writes keys in ascending order, which a tree that does not
// balance itself turns into a list.
func TestKeysInOrder(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{})
	s := take(t, e)
	var wg sync.WaitGroup
	const keys = 20_000
	for n := range keys {
		b := new(store.Batch)
		b.Set(fmt.Appendf(nil, "%08d", n), nil)
		wg.Add(1)
		s.Propose(b, func(store.Position, error) { wg.Done() })
	}
	wg.Wait()
	it := s.Snapshot().Iter([]byte("00000010"), nil)
	n := 10
	for ; it.Next(); n++ {
		if string(it.Key()) != fmt.Sprintf("%08d", n) {
			t.Fatalf("key %d is %s", n, it.Key())
		}
	}
	if n != keys {
		t.Errorf("%d keys of %d", n, keys)
	}
}
