package storetest

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/internal/store"
)

// needs skips the check when the engine cannot do what it needs.
func needs(t testing.TB, what string, ok bool) {
	t.Helper()
	if !ok {
		t.Skipf("the engine has no %s", what)
	}
}

func doneMeansDurable(t testing.TB, open Opener) {
	e := open(t)
	needs(t, "Image", e.Image != nil)
	s := own(t, e, 1)
	release := func() {}
	if e.Hold != nil {
		release = e.Hold()
	}
	const batches = 20
	images := make([]func(testing.TB) store.Engine, batches)
	dones := make([]<-chan outcome, 0, batches)
	for n := range batches {
		c := make(chan outcome, 1)
		dones = append(dones, c)
		if n == 2 {
			release() // within the bound, so that no Propose waited
		}
		s.Propose(mark(uint64(n+1)), func(pos store.Position, err error) {
			if err == nil {
				images[n] = e.Image()
			}
			c <- outcome{pos, err}
		})
	}
	for n, c := range dones {
		if o := <-c; o.err != nil {
			t.Fatalf("batch %d: %v", n, o.err)
		}
	}
	for n, image := range images {
		look(t, own(t, image(t), 1), func(snap store.Snapshot) {
			if got := marked(t, snap); got < uint64(n+1) {
				t.Errorf("a crash in the done of batch %d leaves batch %d", n+1, got)
			}
		})
	}
}

func durableDoesNotRunAhead(t testing.TB, open Opener) {
	e := open(t)
	needs(t, "Hold", e.Hold != nil)
	s := own(t, e, 1)
	start := s.Durable()
	release := e.Hold()
	var settled atomic.Bool
	c := make(chan outcome, 1)
	s.Propose(mark(1), func(pos store.Position, err error) {
		settled.Store(true)
		c <- outcome{pos, err}
	})
	yield()
	if d := s.Durable(); d != start || settled.Load() {
		t.Errorf("durable is %v, done ran: %v, while the disk is held", d, settled.Load())
	}
	look(t, s, func(snap store.Snapshot) {
		if n, pos := marked(t, snap), snap.Position(); (n == 1) != start.Less(pos) {
			t.Errorf("a snapshot at %v shows %d", pos, n)
		}
	})
	release()
	if o := <-c; o.err != nil || s.Durable() != o.pos {
		t.Errorf("durable is %v after done with %v, %v", s.Durable(), o.pos, o.err)
	}
}

// yield lets other goroutines run. A check that something does not happen
// misses it at worst; it never fails by chance.
func yield() {
	for range 1000 {
		runtime.Gosched()
	}
}

func boundInFlight(t testing.TB, open Opener) {
	e := open(t)
	needs(t, "Hold", e.Hold != nil)
	bound := e.InFlight
	if bound == 0 {
		bound = 4
	}
	s := own(t, e, 1)
	release := e.Hold()
	var l ledger
	var wg sync.WaitGroup
	for n := range bound { // none of these may wait
		s.Propose(mark(uint64(n+1)), l.done(n, &wg))
	}
	returned := make(chan struct{})
	over := l.done(bound, &wg)
	go func() {
		s.Propose(mark(99), over)
		close(returned)
	}()
	yield()
	select {
	case <-returned:
		t.Errorf("batch %d was taken while %d were in flight", bound+1, bound)
	default:
	}
	release()
	<-returned
	wg.Wait()
	for n, o := range l.all {
		if o.err != nil || l.seen[n] != n {
			t.Errorf("done %d was of batch %d: %v", n, l.seen[n], o.err)
		}
	}
}

func survivesClose(t testing.TB, open Opener) {
	e := open(t)
	needs(t, "Reopen", e.Reopen != nil)
	s := own(t, e, 1)
	var l ledger
	var wg sync.WaitGroup
	for n := range 50 {
		s.Propose(mark(uint64(n+1)), l.done(n, &wg))
	}
	if err := e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	wg.Wait()
	last := l.all[len(l.all)-1]
	s = own(t, e.Reopen(t), 1)
	if d := s.Durable(); last.err != nil || d.Index != last.pos.Index || !last.pos.Less(d) {
		t.Errorf("reopened at %v after %v, %v", d, last.pos, last.err)
	}
	look(t, s, func(snap store.Snapshot) {
		if n := marked(t, snap); n != 50 {
			t.Errorf("%d batches of 50 are there", n)
		}
	})
}
