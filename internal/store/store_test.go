package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestPositionOrder(t *testing.T) {
	t.Parallel()
	rising := []Position{{}, {0, 1}, {0, 9}, {1, 0}, {1, 1}, {2, 0}, {10, 0}}
	for i, p := range rising {
		for j, q := range rising {
			if p.Less(q) != (i < j) {
				t.Errorf("%v less than %v: %v", p, q, p.Less(q))
			}
		}
	}
	if s := (Position{3, 14}).String(); s != "3.14" {
		t.Errorf("position is written %q", s)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	var b Batch
	for round := range 3 {
		var want []Op
		size := 0
		for i := range 100 {
			key := bytes.Repeat([]byte{byte(i)}, i)
			value := bytes.Repeat([]byte{byte(round)}, i*i)
			b.Set(key, value)
			b.Delete(key)
			b.DeleteRange(key, append(key, 1))
			b.SetJoined(key, key, value)
			want = append(want, Op{Kind: OpSet, Key: key, Value: value},
				Op{Kind: OpDelete, Key: key},
				Op{Kind: OpDeleteRange, Key: key, Value: append(key, 1)},
				Op{Kind: OpSet, Key: key, Value: key, Tail: value})
			size += i + i*i + i + i + i + 1 + i + i + i*i
		}
		same := slices.EqualFunc(b.Ops(), want, func(a, b Op) bool {
			return a.Kind == b.Kind && bytes.Equal(a.Key, b.Key) &&
				bytes.Equal(a.Value, b.Value) && bytes.Equal(a.Tail, b.Tail)
		})
		if !same || b.Len() != 400 || b.Size() != size {
			t.Errorf("round %d: %d effects of %d bytes, same: %v", round, b.Len(), b.Size(), same)
		}
		if err := b.Check(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		b.Reset()
		if b.Len() != 0 || b.Size() != 0 || len(b.Ops()) != 0 {
			t.Errorf("round %d: reset left %d effects", round, b.Len())
		}
	}
}

// TestBatchSlicesAreApart appends to a slice of a batch, which must not reach
// its neighbour.
func TestBatchSlicesAreApart(t *testing.T) {
	t.Parallel()
	var b Batch
	b.Set([]byte("key"), []byte("value"))
	b.Set([]byte("next"), nil)
	_ = append(b.Ops()[0].Key, "!!!"...)
	_ = append(b.Ops()[0].Value, "!!!"...)
	if string(b.Ops()[0].Value) != "value" || string(b.Ops()[1].Key) != "next" {
		t.Errorf("effects became %q", b.Ops())
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fill func(*Batch)
		ok   bool
	}{
		{func(b *Batch) {}, true},
		{func(b *Batch) { b.Set(make([]byte, MaxKey), make([]byte, MaxValue)) }, true},
		{func(b *Batch) { b.Set(make([]byte, MaxKey+1), nil) }, false},
		{func(b *Batch) { b.Delete(make([]byte, MaxKey+1)) }, false},
		{func(b *Batch) { b.DeleteRange(make([]byte, MaxKey+1), nil) }, false},
		{func(b *Batch) { b.DeleteRange(nil, make([]byte, MaxKey+1)) }, false},
		{func(b *Batch) { b.Set(nil, make([]byte, MaxValue+1)) }, false},
		{func(b *Batch) { b.SetJoined(nil, []byte{0}, make([]byte, MaxValue)) }, false},
		{func(b *Batch) {
			b.Set(nil, make([]byte, MaxValue))
			b.Set(nil, make([]byte, MaxValue))
			b.Set([]byte{0}, nil)
		}, false},
	} {
		var b Batch
		c.fill(&b)
		if err := b.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrLimit) {
			t.Errorf("%d effects of %d bytes: %v", b.Len(), b.Size(), err)
		}
	}
}

// TestLine settles out of the hands of the test: order, bound, and errors
// behind the first one.
func TestLine(t *testing.T) {
	t.Parallel()
	l := NewLine(3)
	settled := make(chan error)
	settle := func() (Position, error) { err := <-settled; return Position{1, 1}, err }
	got := make(chan string, 9)
	launched := make(chan int, 9)
	for n := range 3 {
		l.Do(func() Settle { launched <- n; return settle }, func(p Position, err error) {
			got <- fmt.Sprint(n, p, err)
		})
	}
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		l.Do(func() Settle { launched <- 3; return settle }, nil)
	}()
	if len(launched) != 3 {
		t.Errorf("%d batches were launched, the bound is 3", len(launched))
	}
	broken := errors.New("broken")
	for _, err := range []error{nil, broken, nil, nil} {
		settled <- err
	}
	<-blocked
	if err := l.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"01.1<nil>", "10.0broken", "20.0" + ErrUnknown.Error()} {
		if line := <-got; !equalSpaced(line, want) {
			t.Errorf("done got %q, want %q", line, want)
		}
	}
}

func equalSpaced(a, b string) bool {
	strip := func(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)) }
	return strip(a) == strip(b)
}

func TestLineWait(t *testing.T) {
	t.Parallel()
	l := NewLine(2)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Wait(ctx); err != nil {
		t.Errorf("wait for an empty line: %v", err)
	}
	settled := make(chan struct{})
	done := false
	l.Do(func() Settle {
		return func() (Position, error) { <-settled; return Position{}, nil }
	}, func(Position, error) { done = true })
	if err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("wait with a context that ended: %v", err)
	}
	var waiters sync.WaitGroup
	for range 3 {
		waiters.Go(func() {
			if err := l.Wait(context.Background()); err != nil || !done {
				t.Errorf("wait: %v, done ran: %v", err, done)
			}
		})
	}
	close(settled)
	waiters.Wait()
}
