package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/memory"
)

var errTest = errors.New("test")

func TestUpdateIsAtomic(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	put(t, db, "kept", "1")
	before := contents(t, db.shard)
	for name, fn := range map[string]func(tx *Tx) error{
		"error": func(tx *Tx) error { return errTest },
		"key over the limit": func(tx *Tx) error {
			tx.Put(testTable, make([]byte, store.MaxKey), nil)
			return nil
		},
		"write to table 0": func(tx *Tx) error {
			tx.Put(TableMeta, []byte("root"), []byte("x"))
			return nil
		},
	} {
		err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
			tx.Put(testTable, []byte("new"), []byte("2"))
			tx.Delete(testTable, []byte("kept"))
			return fn(tx)
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if !maps.Equal(before, contents(t, db.shard)) {
			t.Errorf("%s: effects were kept", name)
		}
	}
	// The shard still takes batches: nothing over a limit reached it.
	put(t, db, "after", "3")
}

func TestViewMayNotWrite(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	err := db.View(t.Context(), func(_ context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("id"), nil)
		return nil
	})
	if err == nil {
		t.Error("a write in a View succeeded")
	}
	err = db.View(t.Context(), func(ctx context.Context, _ *Tx) error {
		return db.Update(ctx, func(context.Context, *Tx) error { return nil })
	})
	if err == nil {
		t.Error("an Update in a View succeeded")
	}
	if _, ok := get(t, db, "id"); ok {
		t.Error("the write was kept")
	}
}

// TestPanic: a panic drops the effects, runs the Failed hooks and gives the
// turn back; so does one of a hook, after which the others still run.
func TestPanic(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	var ran []string
	hook := func(name string) func() { return func() { ran = append(ran, name) } }
	update := func(fn func(ctx context.Context, tx *Tx) error) (recovered any) {
		defer func() { recovered = recover() }()
		return db.Update(t.Context(), fn)
	}
	got := update(func(ctx context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("id"), nil)
		tx.After(hook("after"))
		tx.Failed(hook("first"))
		tx.Failed(func() { panic("in a hook") })
		return db.Update(ctx, func(_ context.Context, tx *Tx) error {
			tx.Failed(hook("joined"))
			panic("in fn")
		})
	})
	if got == nil || !slices.Equal(ran, []string{"joined", "first"}) {
		t.Errorf("recovered %v, hooks %v", got, ran)
	}
	if _, ok := get(t, db, "id"); ok {
		t.Error("the effects of a panic were kept")
	}
	ran = nil
	got = update(func(_ context.Context, tx *Tx) error {
		tx.After(func() { panic("in a hook") })
		tx.After(hook("second"))
		return nil
	})
	if got != "in a hook" || !slices.Equal(ran, []string{"second"}) {
		t.Errorf("recovered %v, hooks %v", got, ran)
	}
	put(t, db, "id", "the turn is free, and hooks go on")
	// A unit that recovers from a joined part keeps nothing of that part.
	got = update(func(ctx context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("outer"), nil)
		defer func() { recover() }()
		return db.Update(ctx, func(_ context.Context, tx *Tx) error {
			tx.Put(testTable, []byte("inner"), nil)
			panic("in fn")
		})
	})
	_, outer := get(t, db, "outer")
	_, inner := get(t, db, "inner")
	if !outer || inner {
		t.Errorf("outer kept %v, inner kept %v, %v", outer, inner, got)
	}
}

func TestCommitFailure(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{store.ErrLost, store.ErrUnknown} {
		db, e := newDB(t)
		put(t, db, "id", "old")
		e.FailBatch(0, 1, failure)
		var ran []string
		err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
			tx.Put(testTable, []byte("id"), []byte("new"))
			tx.After(func() { ran = append(ran, "after") })
			for i := range 3 {
				tx.Failed(func() { ran = append(ran, fmt.Sprint("failed ", i)) })
			}
			return nil
		})
		if !errors.Is(err, failure) {
			t.Errorf("commit: %v, want %v", err, failure)
		}
		if want := []string{"failed 2", "failed 1", "failed 0"}; !slices.Equal(ran, want) {
			t.Errorf("hooks %v, want %v", ran, want)
		}
		err = db.View(t.Context(), func(context.Context, *Tx) error { return errTest })
		if !errors.Is(err, failure) {
			t.Errorf("view: %v, want %v", err, failure)
		}
		for name, run := range map[string]func(context.Context,
			func(context.Context, *Tx) error) error{"View": db.View, "Update": db.Update} {
			err := run(t.Context(), func(_ context.Context, tx *Tx) error {
				_, _, err := tx.Get(testTable, []byte("id"))
				return err
			})
			if err == nil {
				t.Errorf("%s answered after %v", name, failure)
			}
		}
		want := map[error]string{store.ErrLost: "old", store.ErrUnknown: "new"}[failure]
		if v, _ := get(t, openDB(t, e.Image()()), "id"); v != want {
			t.Errorf("after a restart %q, want %q", v, want)
		}
	}
}

// TestFenced: a DB whose shard has another owner answers nothing more, not even
// what it could still read.
func TestFenced(t *testing.T) {
	t.Parallel()
	old, e := newDB(t)
	put(t, old, "id", "old")
	db := openDB(t, e)
	put(t, db, "id", "new")
	err := old.View(t.Context(), func(context.Context, *Tx) error { return errTest })
	if !errors.Is(err, store.ErrLost) || errors.Is(err, errTest) {
		t.Errorf("view: %v", err)
	}
	failed := false
	err = old.Update(t.Context(), func(_ context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("id"), []byte("of the fenced owner"))
		tx.Failed(func() { failed = true })
		return nil
	})
	if !errors.Is(err, store.ErrLost) || !failed {
		t.Errorf("update: %v, Failed hooks ran: %v", err, failed)
	}
	if v, _ := get(t, db, "id"); v != "new" {
		t.Errorf("the new owner reads %q", v)
	}
}

func TestViewWaitsForDurability(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	release := e.Hold()
	defer release()
	proposed := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
			tx.Put(testTable, []byte("id"), []byte("value"))
			close(proposed)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-proposed
	db.turn <- struct{}{} // the writer has proposed
	<-db.turn
	ctx, cancel := context.WithCancel(t.Context())
	seen, answered := make(chan string, 1), make(chan error, 1)
	view := func(ctx context.Context) {
		answered <- db.View(ctx, func(_ context.Context, tx *Tx) error {
			v, _, err := tx.Get(testTable, []byte("id"))
			seen <- string(v)
			return err
		})
	}
	wg.Go(func() { view(ctx) })
	if v := <-seen; v != "value" {
		t.Errorf("the view reads %q", v)
	}
	select {
	case err := <-answered:
		t.Errorf("answered before the batch was durable: %v", err)
	default:
	}
	err := db.Peek(ctx, func(_ context.Context, tx *Tx) error {
		v, _, err := tx.Get(testTable, []byte("id"))
		if string(v) != "value" {
			t.Errorf("a peek reads %q", v)
		}
		return err
	})
	if err != nil {
		t.Errorf("a peek: %v", err)
	}
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("a view whose context ended: %v", err)
	}
	wg.Go(func() { view(t.Context()) })
	<-seen
	release()
	if err := <-answered; err != nil {
		t.Errorf("after the batch was durable: %v", err)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	db.turn <- struct{}{} // another writer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := db.Update(ctx, func(context.Context, *Tx) error { t.Error("ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a writer: %v", err)
	}
	<-db.turn
	// A context that ends later than the effects are made does not hide them.
	ctx, cancel = context.WithCancel(t.Context())
	err = db.Update(ctx, func(_ context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("id"), nil)
		cancel()
		return nil
	})
	if _, ok := get(t, db, "id"); err != nil || !ok {
		t.Errorf("update: %v, kept %v", err, ok)
	}
}

func TestAfterTheUnit(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	var kept *Tx
	var inside context.Context
	err := db.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		kept, inside = tx, ctx
		return nil
	})
	if err != nil || From(inside) != nil {
		t.Fatalf("%v; a finished unit is still carried", err)
	}
	if _, _, err := kept.Get(testTable, nil); err == nil {
		t.Error("read from a finished unit")
	}
	if err := kept.Scan(testTable, nil, nil); err == nil {
		t.Error("scanned a finished unit")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a write to a finished unit was lost silently")
			}
		}()
		kept.Put(testTable, nil, nil)
	}()
	// Its context begins new units.
	err = db.Update(inside, func(_ context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("id"), nil)
		return nil
	})
	if _, ok := get(t, db, "id"); err != nil || !ok {
		t.Errorf("update with the context of a finished unit: %v, kept %v", err, ok)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	const workers, each = 4, 25
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
					n, err := tx.Next(testTable, []byte("counter"))
					tx.After(func() { mu.Lock(); seen[n] = true; mu.Unlock() })
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != workers*each || !seen[1] || !seen[workers*each] {
		t.Errorf("%d numbers of %d", len(seen), workers*each)
	}
	db = openDB(t, e)
	put(t, db, "bad", "not 8 bytes")
	err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
		n, err := tx.Next(testTable, []byte("counter"))
		if err != nil || n != workers*each+1 {
			t.Errorf("after a restart: %d, %v", n, err)
		}
		_, err = tx.Next(testTable, []byte("bad"))
		return err
	})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a counter of another size: %v", err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	db := openDB(b, memory.New(memory.Config{Shards: 1}))
	value := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		err := db.Update(b.Context(), func(_ context.Context, tx *Tx) error {
			tx.Put(testTable, []byte("id"), value)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkView(b *testing.B) {
	db := openDB(b, memory.New(memory.Config{Shards: 1}))
	put(b, db, "id", string(make([]byte, 300)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := get(b, db, "id"); !ok {
			b.Fatal("not found")
		}
	}
}
