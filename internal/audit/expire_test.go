package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestExpire: events older than the time go with all their rows, of every account
// and Region and both shards; the others stay and are found.
func TestExpire(t *testing.T) {
	t.Parallel()
	l, e := newLog(t)
	const old, young = 700, 20 // more than two batches
	var keep []string
	for n := range old + young {
		at := testTime(int64(n) * 1000)
		if n >= old {
			at = testTime(int64(n) * 1e6)
		}
		ev := event(n, at)
		arn := fmt.Sprintf("arn:aws:kms:us-west-2:1:key/%d", n)
		ev.Resources = []Resource{{testAccount, "AWS::KMS::Key", arn}}
		if n%7 == 0 {
			ev.AWSRegion = "eu-west-1"
		} else if n >= old {
			keep = slices.Insert(keep, 0, ev.EventID)
		}
		add(t, l, ev, n%9 == 0)
	}
	rows := func(id store.ShardID) (n int) {
		s := l.shard
		if id == 0 {
			err := l.db.View(t.Context(), func(_ context.Context, tx *control.Tx) error {
				for _, table := range []control.Table{control.TableEvent, control.TableEventIndex} {
					err := tx.Scan(table, nil, func(_, _ []byte) error { n++; return nil })
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		snap := s.Snapshot()
		defer snap.Close()
		it := snap.Iter([]byte{byte(control.TableEvent)}, []byte{byte(control.TableEventMeta)})
		defer it.Close()
		for it.Next() {
			n++
		}
		return n
	}
	cutoff := testTime(1_900_000) // of its second nothing goes
	if n, err := l.Expire(t.Context(), testTime(999_999)); n != 0 || err != nil {
		t.Errorf("nothing is so old: %d, %v", n, err)
	}
	n, err := l.Expire(t.Context(), cutoff)
	if err != nil || n != old {
		t.Errorf("%d removed, want %d; %v", n, old, err)
	}
	if got := all(t, l, Query{}); !slices.Equal(got, keep) {
		t.Errorf("left %v, want %v", got, keep)
	}
	const entries = 9 // the event, seven attributes and the key's id
	if n := rows(0) + rows(1); n != young*entries {
		t.Errorf("%d rows are left, want %d", n, young*entries)
	}
	if n, err := l.Expire(t.Context(), cutoff); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	if got := all(t, openLog(t, e.Image()()), Query{}); !slices.Equal(got, keep) {
		t.Errorf("after a crash: %v, want %v", got, keep)
	}
}

// TestExpireDamaged: what does not open keeps nothing else from going, and is told.
func TestExpireDamaged(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	for n := range 5 {
		add(t, l, event(n, testTime(int64(n))), false)
	}
	snap := l.shard.Snapshot()
	it := snap.Iter([]byte{byte(control.TableEvent)}, []byte{byte(control.TableEvent) + 1})
	it.Next()
	key := bytes.Clone(it.Key())
	if it.Close() != nil || snap.Close() != nil {
		t.Fatal("close")
	}
	overwrite(t, l.shard, key, []byte("no box"))
	n, err := l.Expire(t.Context(), testTime(1e7))
	if n != 4 || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%d removed, %v", n, err)
	}
}

// TestExpireEnds with its context, and with the store.
func TestExpireEnds(t *testing.T) {
	t.Parallel()
	l, e := newLog(t)
	for n := range 5 {
		add(t, l, event(n, testTime(int64(n))), false)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Expire(ctx, testTime(1e7)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := l.Expire(t.Context(), time.Time{}); err != nil {
		t.Errorf("before all time: %v", err)
	}
	e.FailBatch(1, 1, store.ErrUnknown)
	if _, err := l.Expire(t.Context(), testTime(1e7)); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("the store failed: %v", err)
	}
}

// TestExpireMeanwhile: lookups see each event whole or not at all while old ones go.
func TestExpireMeanwhile(t *testing.T) {
	t.Parallel()
	l := openLog(t, memory.New(memory.Config{Shards: 2}))
	for n := range 600 {
		add(t, l, event(n, testTime(int64(n)*1e6)), n%5 == 0)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.Expire(t.Context(), testTime(550e6))
		done <- err
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if running = false; err != nil {
				t.Error(err)
			}
		default:
		}
		got := all(t, l, Query{Attribute: "EventName", Value: "DescribeKey"})
		if len(got) < 50 || got[0] != "id-0599" || got[49] != "id-0550" {
			t.Fatalf("%d events: %v", len(got), got)
		}
	}
	if got := all(t, l, Query{}); len(got) != 50 {
		t.Errorf("%d left", len(got))
	}
}
