package control

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
)

// TestHooksInOrder: hooks of concurrent units run one after another, in the
// order in which the units wrote, also those of units without effects, and
// never before the unit is durable.
func TestHooksInOrder(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	const workers, each = 6, 40
	var order, ran []int // order: guarded by the writer's turn; ran: by the chain
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				done := false
				err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
					order = append(order, n)
					if n%3 != 0 {
						tx.Put(testTable, binary.BigEndian.AppendUint64(nil, uint64(n)), nil)
					}
					tx.After(func() {
						ran = append(ran, n)
						done = true
					})
					return nil
				})
				if err != nil || !done {
					t.Errorf("unit %d: %v, hook ran before Update returned: %v", n, err, done)
				}
			}
		})
	}
	wg.Wait()
	if !slices.Equal(order, ran) {
		t.Errorf("units in the order %v, hooks %v", order, ran)
	}
}

// TestHooksWaitForDurability: a unit without effects may have read effects that
// are not durable, so its hooks wait for them.
func TestHooksWaitForDurability(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	release := e.Hold()
	defer release()
	var mu sync.Mutex
	var ran []string
	unit := func(name string, write bool) (proposed, returned chan struct{}) {
		proposed, returned = make(chan struct{}), make(chan struct{})
		go func() {
			defer close(returned)
			err := db.Update(t.Context(), func(_ context.Context, tx *Tx) error {
				if write {
					tx.Put(testTable, []byte(name), nil)
				}
				tx.After(func() { mu.Lock(); ran = append(ran, name); mu.Unlock() })
				close(proposed)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}()
		<-proposed
		db.turn <- struct{}{}
		<-db.turn
		return proposed, returned
	}
	_, first := unit("writes", true)
	_, second := unit("reads", false)
	mu.Lock()
	if len(ran) != 0 {
		t.Errorf("hooks %v ran before anything was durable", ran)
	}
	mu.Unlock()
	release()
	within(t, "the first unit", first)
	within(t, "the second unit", second)
	if !slices.Equal(ran, []string{"writes", "reads"}) {
		t.Errorf("hooks %v", ran)
	}
}

// TestHooksMayRead: a hook may View, with any context; an Update with the
// unit's context is refused instead of waiting for itself for ever; a goroutine
// that a hook starts may write.
func TestHooksMayRead(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	done := make(chan struct{})
	var read, carried, write error
	err := db.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		tx.Put(testTable, []byte("id"), nil)
		view := func(_ context.Context, tx *Tx) error {
			_, ok, err := tx.Get(testTable, []byte("id"))
			if !ok {
				err = errors.Join(err, errors.New("the unit's own effect is not there"))
			}
			return err
		}
		tx.After(func() {
			read, carried = db.View(t.Context(), view), db.View(ctx, view)
			write = db.Update(ctx, func(context.Context, *Tx) error { return nil })
			go func() {
				defer close(done)
				put(t, db, "from a hook", "")
			}()
		})
		return nil
	})
	if err != nil || read != nil || carried != nil {
		t.Errorf("update %v, view %v, view with the unit's context %v", err, read, carried)
	}
	if write == nil {
		t.Error("a hook's Update with the unit's context was not refused")
	}
	within(t, "the goroutine of a hook", done)
}

func TestRollbackHooks(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	var ran []string
	hook := func(name string) func() { return func() { ran = append(ran, name) } }
	err := db.Update(t.Context(), func(ctx context.Context, tx *Tx) error {
		tx.After(hook("after 0"))
		tx.Failed(hook("failed 0"))
		s := tx.Savepoint()
		tx.After(hook("after 1"))
		tx.Failed(hook("failed 1"))
		err := db.Update(ctx, func(_ context.Context, tx *Tx) error {
			tx.After(hook("after 2"))
			tx.Failed(hook("failed 2"))
			return errTest
		})
		if !errors.Is(err, errTest) {
			t.Errorf("joined part: %v", err)
		}
		tx.Failed(hook("failed 3"))
		ran = append(ran, "rollback")
		tx.Rollback(s)
		tx.After(hook("after 4"))
		return nil
	})
	want := []string{"failed 2", "rollback", "failed 3", "failed 1", "after 0", "after 4"}
	if err != nil || !slices.Equal(ran, want) {
		t.Errorf("%v; hooks %v, want %v", err, ran, want)
	}
}
