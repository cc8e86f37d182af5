package brokertest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// steps counts what a move asks for before each of its slices, and does something at one
// of them.
type steps struct {
	armed atomic.Bool
	calls atomic.Int64
	at    int64
	do    func() error
}

func (s *steps) room() error {
	if s.armed.Load() && s.calls.Add(1) == s.at {
		return s.do()
	}
	return nil
}

// atSlice plays mixed under a core that does something before a slice of the move.
func atSlice(t *testing.T, at int64, do func(*player) error) (*player, *steps) {
	t.Helper()
	cfg := Tiny()
	s := &steps{at: at}
	cfg.Room = s.room
	p := newPlayer(t, onMemory(t), NewDomain(), NewClock(), cfg)
	s.do = func() error { return do(p) }
	p.run(mixed)
	p.closeAll()
	p.run("advance 10ms")
	return p, s
}

// TestRelocateTakenBack ends a move by an error before each of its slices. The namespace
// is where it was, nothing of it is where it was to go, and it moves when it may.
func TestRelocateTakenBack(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{1, 2, 7, 12} {
		p, s := atSlice(t, at, func(*player) error {
			return fault.New(fault.Exhausted, "the disk is full")
		})
		s.armed.Store(true)
		p.run("relocate first 2 => error: exhausted")
		s.armed.Store(false)
		if err := p.world.Reopen("first"); err != nil {
			t.Fatal(err)
		}
		for _, class := range []byte{0x02, 0x20, 0x2a} {
			if n, err := rows(p.world.second, class); n != 0 || err != nil {
				t.Errorf("%d rows of class %x stay, %v", n, class, err)
			}
		}
		p.run("look => 1 1\nlook 2\nbodies 0 0\nlook 1\n" + unmixed)
		p.stop()
	}
}

// TestRelocateClosed closes the core while a namespace moves: the next one goes on.
func TestRelocateClosed(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{1, 5} {
		closing := make(chan error, 1)
		p, s := atSlice(t, at, func(p *player) error {
			go func() { closing <- p.world.Stop() }()
			return nil
		})
		s.armed.Store(true)
		err := p.world.Core.MoveNamespace(t.Context(), namespaces()["first"], 2)
		s.armed.Store(false)
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, broker.ErrClosed) {
			t.Fatal(err)
		}
		if err := <-closing; err != nil {
			t.Fatal(err)
		}
		clock, leases := p.clock, p.leases
		healthy(t, p.subject.Engine)
		p.subject.Engine = p.subject.Reopen(t)
		p = newPlayer(t, p.subject, p.world.Domain, clock, Tiny())
		p.leases = leases
		p.run("look => 0 2\n" + unmixed)
		p.stop()
	}
}

// TestRelocateAlone lets nobody delete, move or open a namespace that moves.
func TestRelocateAlone(t *testing.T) {
	t.Parallel()
	opened := make(chan error, 1)
	p, s := atSlice(t, 3, func(p *player) error {
		core, id := p.world.Core, namespaces()["first"]
		if err := core.DeleteNamespace(t.Context(), id); fault.KindOf(err) != fault.Conflict {
			t.Errorf("deletion: %v", err)
		}
		err := core.MoveNamespace(t.Context(), id, 1)
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("another move: %v", err)
		}
		old, domain := p.world.Namespace, p.world.Domain
		go func() {
			n, err := core.OpenNamespace(id, domain)
			if err == nil && n == old {
				err = errors.New("the old namespace was opened")
			}
			opened <- err
		}()
		return nil
	})
	s.armed.Store(true)
	p.run("relocate first 2")
	if err := <-opened; err != nil {
		t.Error(err)
	}
	s.armed.Store(false)
	p.run("look => 0 2\n" + unmixed)
	p.stop()
}

// TestRelocateWaits has a namespace move whose messages wait for another one to be opened:
// it does not, and is in use as before.
func TestRelocateWaits(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, onMemory(t), NewDomain(), NewClock(), broker.Config{})
	p.run(`
		other open
		other queue d durable
		queue q durable dead=other:-/d expiry=10
		publish a - q 1 2
		crash
		advance 10ms
		parcels 2
		publish a - q 3
	`)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.world.Core.MoveNamespace(gone, namespaces()["first"], 2)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	p.run(`
		publish a - q 4
		counts q => 2 ready 0 unacked 0 consumers
		other open
		relocate first 2
		get a q => 3 1
		get a q => 4 0
		reject a
		until other counts d => 4 ready 0 unacked 0 consumers
		other consume b c d -1
		other take b 4 1 =>
		lost 0
	`)
	p.stop()
}

// TestRelocateDamaged refuses to move what cannot be read.
func TestRelocateDamaged(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	w.Declare(nil, broker.QueueSpec{Name: "r", Durable: true})
	c := w.Client(broker.SessionConfig{})
	if err := errors.Join(c.Send("", "q", true, "1"), c.Send("", "r", true, "2"),
		c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	damage(t, w.Shard)
	w = Start(t, e, w.Domain, broker.Config{})
	if err := w.Relocate(t.Context(), 2); !errors.Is(err, store.ErrDamaged) {
		t.Fatal(err)
	}
	if err := w.Reopen("first"); err != nil {
		t.Fatal(err)
	}
	if n, err := rows(w.second, 0x01); n != 0 || err != nil {
		t.Errorf("%d records are left at the target, %v", n, err)
	}
	if got, err := numbers(t, w, "q"); len(got) != 1 || err != nil {
		t.Errorf("q has %v, %v", got, err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}

// damage changes the last message.
func damage(t *testing.T, sh store.Shard) {
	t.Helper()
	snap := sh.Snapshot()
	it := snap.Iter([]byte{0x10}, []byte{0x11})
	b := &store.Batch{}
	for it.Next() {
		v := append([]byte(nil), it.Value()...)
		v[len(v)/4] ^= 1
		b = &store.Batch{}
		b.Set(it.Key(), v)
	}
	if err := errors.Join(it.Err(), it.Close(), snap.Close()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	sh.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestRelocateStream moves a namespace to and fro while messages of another one go there,
// and then that one, too. Each comes once, in its order.
func TestRelocateStream(t *testing.T) {
	t.Parallel()
	const total, moves = 600, 9
	p := newPlayer(t, onMemory(t), NewDomain(), NewClock(), broker.Config{})
	p.run(`
		other open
		other queue d durable
		queue q durable dead=other:-/d expiry=0
	`)
	w := p.world
	next := 1
	send := func(upto int) {
		c := w.Client(broker.SessionConfig{})
		for ; next <= upto; next++ {
			if err := c.Send("", "q", true, strconv.Itoa(next)); err != nil {
				t.Error(err)
				return
			}
		}
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	var work sync.WaitGroup
	work.Go(func() { send(total / 2) })
	for i := range moves {
		p.run("relocate other " + strconv.Itoa(i%2+1))
	}
	work.Wait()
	for i := range moves {
		send(total/2 + (i+1)*total/2/moves)
		p.run("relocate first " + strconv.Itoa(2-i%2))
		p.run("relocate other " + strconv.Itoa(i%2+1))
	}
	send(total)
	p.run("until other counts d => " + strconv.Itoa(total) + " ready 0 unacked 0 consumers")
	p.run("other consume b c d -1\nother take b " + strconv.Itoa(total) + " 1 =>\nlost 0")
	p.stop()
}
