package audit

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestRecordIsDurable: Record returns, and Lookup shows, only what a crash at
// that moment would leave.
func TestRecordIsDurable(t *testing.T) {
	t.Parallel()
	l, e := newLog(t)
	release := e.Hold()
	defer release()
	recorded, found := make(chan error, 1), make(chan []*Event, 1)
	go func() { recorded <- l.Record(t.Context(), event(1, testTime(0))) }()
	for {
		l.mu.Lock()
		tail := l.tail
		l.mu.Unlock()
		if tail != nil {
			break
		}
		runtime.Gosched()
	}
	q := Query{Account: testAccount, Region: testRegion}
	go func() {
		events, _, err := l.Lookup(t.Context(), q)
		if err != nil {
			t.Error(err)
		}
		found <- events
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for err := error(nil); err == nil; { // until the snapshot shows the event
		events, _, lerr := l.Lookup(ctx, q)
		if err = lerr; err == nil && len(events) > 0 {
			t.Fatal("an event was shown before it was durable")
		}
	}
	select {
	case err := <-recorded:
		t.Fatalf("recorded before it was durable: %v", err)
	case events := <-found:
		if len(events) > 0 {
			t.Fatal("an event was shown before it was durable")
		}
		found <- nil
	default:
	}
	release()
	if err := <-recorded; err != nil {
		t.Error(err)
	}
	<-found
	if got := all(t, openLog(t, e.Image()()), Query{}); len(got) != 1 {
		t.Errorf("a crash leaves %v", got)
	}
}

// TestAppendIsAtomic: an event with effects stands or falls with them.
func TestAppendIsAtomic(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	failure := errors.New("after the event")
	err := l.db.Update(t.Context(), func(ctx context.Context, tx *control.Tx) error {
		if err := l.Append(tx, event(1, testTime(0))); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	add(t, l, event(2, testTime(0)), true)
	if got := all(t, l, Query{}); !slices.Equal(got, []string{"id-0002"}) {
		t.Errorf("%v", got)
	}
}

// TestManyWait: events above the bounds of a batch wait for room; none is
// refused.
func TestManyWait(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Log){
		"count": func(l *Log) { l.maxCount = 4 },
		"bytes": func(l *Log) { l.maxBytes = 8 << 10 },
		"one":   func(l *Log) { l.maxBytes = 1 }, // an event over the bound goes alone
	} {
		l, e := newLog(t)
		set(l)
		release := e.Hold()
		const many = 100
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				if err := l.Record(t.Context(), event(i, testTime(int64(i)))); err != nil {
					t.Error(err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := l.Record(ctx, event(many, testTime(0)))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: with a context that ended: %v", name, err)
		}
		l.mu.Lock()
		g := l.waiting
		if g.count > l.maxCount || g.count > 1 && g.batch.Size() > l.maxBytes {
			t.Errorf("%s: a batch of %d events, %d bytes", name, g.count, g.batch.Size())
		}
		l.mu.Unlock()
		release()
		wg.Wait()
		seen := map[string]bool{}
		for _, id := range all(t, l, Query{}) {
			seen[id] = true
		}
		if len(seen) < many || len(seen) > many+1 {
			t.Errorf("%s: %d events of %d", name, len(seen), many)
		}
	}
}

// TestClose: what was accepted is durable when Close returns, what comes later
// is refused, and nobody hangs, with many Records at the same moment.
func TestClose(t *testing.T) {
	t.Parallel()
	for range 5 {
		e := memory.New(memory.Config{Shards: 2})
		l := openLog(t, e)
		var accepted atomic.Int64
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					err := l.Record(t.Context(), event(w*1000+i, testTime(0)))
					if errors.Is(err, store.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					accepted.Add(1)
				}
			})
		}
		for accepted.Load() < 20 {
			runtime.Gosched()
		}
		for range 2 {
			wg.Go(l.Close)
		}
		wg.Wait()
		l.Close()
		if got := all(t, openLog(t, e.Image()()), Query{}); int64(len(got)) != accepted.Load() {
			t.Fatalf("%d events, %d were accepted", len(got), accepted.Load())
		}
		if err := l.Record(t.Context(), event(1, testTime(0))); !errors.Is(err, store.ErrClosed) {
			t.Errorf("record after Close: %v", err)
		}
		if got := all(t, l, Query{Limit: 1, From: testTime(1e6)}); len(got) != 0 {
			t.Errorf("lookup after Close: %v", got)
		}
	}
}

// TestCloseWaits: Close returns only when what was proposed is durable.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	l, e := newLog(t)
	release := e.Hold()
	recorded := make(chan error, 1)
	go func() { recorded <- l.Record(t.Context(), event(1, testTime(0))) }()
	for proposed := false; !proposed; runtime.Gosched() {
		l.mu.Lock()
		proposed = l.tail != nil
		l.mu.Unlock()
	}
	closed := make(chan struct{})
	go func() { l.Close(); close(closed) }()
	<-l.closing
	select {
	case <-closed:
		t.Error("closed before the event was durable")
	default:
	}
	release()
	<-closed
	if err := <-recorded; err != nil {
		t.Error(err)
	}
}

func TestStoreFailure(t *testing.T) {
	t.Parallel()
	l, e := newLog(t)
	add(t, l, event(1, testTime(0)), false)
	e.FailBatch(1, 1, store.ErrUnknown)
	for i := range 3 {
		if err := l.Record(t.Context(), event(2+i, testTime(0))); err == nil {
			t.Error("an event was recorded by a store that failed")
		}
	}
	_, _, err := l.Lookup(t.Context(), Query{Account: testAccount, Region: testRegion})
	if err == nil {
		t.Error("events of a store that failed were shown")
	}
	l.Close()
	// Another owner of the last shard: what this one reads is void.
	l, e = newLog(t)
	if _, err := e.Open(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	_, _, err = l.Lookup(t.Context(), Query{Account: testAccount, Region: testRegion})
	if !errors.Is(err, store.ErrLost) {
		t.Errorf("lookup of a fenced owner: %v", err)
	}
}

func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	for name, change := range map[string]func(*Event){
		"too large":        func(e *Event) { e.UserAgent = strings.Repeat("x", maxEvent) },
		"no time":          func(e *Event) { e.EventTime = time.Time{} },
		"time before 1970": func(e *Event) { e.EventTime = time.Unix(-1, 0) },
		"year 10000":       func(e *Event) { e.EventTime = e.EventTime.AddDate(9000, 0, 0) },
		"no JSON": func(e *Event) {
			e.RequestParameters = map[string]any{"f": func() {}}
		},
	} {
		e := event(1, testTime(0))
		change(e)
		if err := l.Record(t.Context(), e); err == nil {
			t.Errorf("%s: recorded", name)
		}
		err := l.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
			return l.Append(tx, e)
		})
		if err == nil {
			t.Errorf("%s: appended", name)
		}
	}
	if got := all(t, l, Query{}); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}

func BenchmarkEvents(b *testing.B) {
	l := openLog(b, memory.New(memory.Config{Shards: 2}))
	e := event(1, testTime(0))
	e.UserIdentity.UserName, e.UserIdentity.AccessKeyID = "alice", "AKIA1"
	e.Resources = []Resource{{testAccount, "AWS::KMS::Key", "arn:aws:kms:us-west-2:1:key/1"}}
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.index(e)
		}
	})
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			add(b, l, e, true)
		}
	})
	b.Run("Record", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				add(b, l, e, false)
			}
		})
	})
	b.Run("Lookup", func(b *testing.B) {
		b.ReportAllocs()
		q := Query{Account: testAccount, Region: testRegion, Attribute: "Username", Value: "alice"}
		for b.Loop() {
			if _, _, err := l.Lookup(b.Context(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
