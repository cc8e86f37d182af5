package brokertest

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// TestResealCrash takes the disk at every change while all that can be stored of a namespace
// is sealed anew. Whoever opens what is left ends that, also under a locked domain, and
// then has all of it once, in its order, and nothing under an older key.
func TestResealCrash(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	c := crashed{domain: NewDomain(), script: "reseal\n" + unmixed}
	p := newPlayer(t, Subject{Engine: openEmbedded(t, disk)}, c.domain, NewClock(), Tiny())
	p.run(strings.Replace(mixed, "publish a - l 3", "rotate\npublish a - l 3", 1) + "rotate\n")
	p.closeAll()
	p.run("advance 10ms")
	c.leases, c.now = maps.Clone(p.leases), p.clock.Now()
	images := newImages(disk, 1)
	p.run("reseal")
	list := images.stop()
	if len(list) < 6 { // about 13; batches that wait for a sync go into one
		t.Fatalf("only %d images were taken", len(list))
	}
	p.stop()
	eachImage(t, list, func(t *testing.T, disk *storetest.Disk, i int) {
		c.finish(t, disk, i)
	})
}

// TestRotateUnderLoad replaces the key and seals anew all the time while messages come and
// go, and takes the disk meanwhile.
func TestRotateUnderLoad(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, func(w *World) (stop func()) {
		var done atomic.Bool
		var work sync.WaitGroup
		work.Go(func() {
			for n := 0; n == 0 || !done.Load(); n++ {
				if n < 14 {
					if err := w.Rotate(); err != nil {
						t.Error(err)
					}
				}
				if err := w.Reseal(); err != nil {
					t.Error(err)
				}
			}
		})
		return func() {
			done.Store(true)
			work.Wait()
		}
	})
}

// rotate replaces the key in the history of a model, as often as there is room for keys.
func (m *machine) rotate(rt *rapid.T) {
	if m.world.Control.PlatformState().Keys < 16 {
		if err := m.world.Rotate(); err != nil {
			rt.Fatal(err)
		}
	}
	if err := m.world.Reseal(); err != nil {
		rt.Fatal(err)
	}
}

// gated is an engine that calls a function when the second snapshot of shard 1 since it was
// armed is closed, which of a slice that is sealed anew is that with its rows; and which
// tells nothing that is durable in that shard while it is held.
type gated struct {
	*memory.Engine
	armed atomic.Int32
	fn    func()

	mu   sync.Mutex
	held bool
	done []func()
}

func (e *gated) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	if id != 1 {
		return s, err
	}
	return gatedShard{s, e}, err
}

func (e *gated) hold(held bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = held
	for _, fn := range e.done {
		fn()
	}
	e.done = nil
}

type gatedShard struct {
	store.Shard
	engine *gated
}

func (s gatedShard) Propose(b *store.Batch, done func(store.Position, error)) {
	e := s.engine
	s.Shard.Propose(b, func(at store.Position, err error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.held {
			e.done = append(e.done, func() { done(at, err) })
			return
		}
		done(at, err)
	})
}

func (s gatedShard) Snapshot() store.Snapshot {
	return gatedSnapshot{s.Shard.Snapshot(), s.engine}
}

type gatedSnapshot struct {
	store.Snapshot
	engine *gated
}

func (s gatedSnapshot) Close() error {
	err := s.Snapshot.Close()
	if s.engine.armed.Add(-1) == 0 {
		s.engine.fn()
	}
	return err
}

// crowd publishes to the queue q without waiting, until some of it is in a batch that the
// held store does not have.
func (e *gated) crowd(t *testing.T, w *World, c *Client) {
	t.Helper()
	e.hold(true)
	for i := range 8 {
		pub := publishing(t, w, "q", strconv.Itoa(i), true)
		if err := c.Publish(t.Context(), []broker.Publishing{pub}); err != nil {
			t.Fatal(err)
		}
		seen(t, w, 1)
	}
}

// seen returns when the owner has seen what came before, so many times.
func seen(t *testing.T, w *World, times int) {
	t.Helper()
	for range times {
		if _, err := w.Queue("q").Consumers(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestResealBetween changes all rows of a slice between its snapshot and its writing: what
// was settled, purged, deleted or moved does not come back, and what was written anew stays.
func TestResealBetween(t *testing.T) {
	t.Parallel()
	e := &gated{Engine: memory.New(memory.Config{Shards: 3})}
	reopen := func(testing.TB) store.Engine { return e.Image()() }
	p := newPlayer(t, Subject{Engine: e, Reopen: reopen}, NewDomain(), NewClock(), broker.Config{})
	for _, name := range []string{"settled", "purged", "dropped", "counted", "grown"} {
		p.run("queue " + name + " durable\nfill a " + name + " 3\nget a " + name + " => 1 2")
	}
	p.run("queue leased durable\nfill a leased 2\nreceive a leased 2 100s => 1 2\nrotate")
	changes := 0
	e.fn = func() {
		changes++
		p.run(`
accept a 1
purge purged => 2
drop dropped => 2
fill a grown 1
settle-lease leased accept 1 => ok
`)
	}
	_, err := p.world.Core.Reseal(t.Context(), func(context.Context, store.ShardID, int) error {
		if changes == 0 {
			e.armed.Store(2)
		}
		return nil
	})
	if err != nil || changes != 1 {
		t.Fatal(changes, err)
	}
	p.run("reseal\nrestart\nadvance 200s")
	p.run(`
counts settled => 2 ready 0 unacked 0 consumers
counts purged => 0 ready 0 unacked 0 consumers
counts counted => 2 ready 0 unacked 0 consumers
counts grown => 3 ready 0 unacked 0 consumers
until counts leased => 1 ready 0 unacked 0 consumers
`)
	p.stop()
}

// TestResealOpenBatch settles a message between a snapshot and its writing, in a batch that the
// store does not have when the rows come: it does not come back.
func TestResealOpenBatch(t *testing.T) {
	t.Parallel()
	e := &gated{Engine: memory.New(memory.Config{Shards: 3})}
	w := Start(t, e, NewDomain(), broker.Config{})
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	if err := c.Send("", "q", true, "gone"); err != nil {
		t.Fatal(err)
	}
	d, _, _, err := c.Get(t.Context(), w.Queue("q"), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	e.fn = func() {
		e.crowd(t, w, c)
		c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
		seen(t, w, 1)
		work.Go(func() { // the rows come meanwhile
			seen(t, w, 100)
			e.hold(false)
		})
	}
	changed := false
	_, err = w.Core.Reseal(t.Context(), func(context.Context, store.ShardID, int) error {
		if !changed {
			e.armed.Store(2)
		}
		changed = changed || e.armed.Load() < 0
		return nil
	})
	work.Wait()
	if err := errors.Join(err, c.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	next := e.Image()()
	healthy(t, next)
	w = Start(t, next, w.Domain, broker.Config{})
	if got, err := numbers(t, w, "q"); len(got) != 8 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestResealWaits: a message that was sealed under the old key and is in the open batch, which
// the store does not have yet, is not missed: the walk begins behind that batch.
func TestResealWaits(t *testing.T) {
	t.Parallel()
	e := &gated{Engine: memory.New(memory.Config{Shards: 3})}
	w := Start(t, e, NewDomain(), broker.Config{})
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	e.crowd(t, w, c)
	if err := w.Rotate(); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	began := make(chan struct{})
	work.Go(func() {
		close(began)
		_, err := w.Core.Reseal(t.Context(), func(context.Context, store.ShardID, int) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.held {
				return errors.New("the walk began while a batch of before was open")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-began
	seen(t, w, 1000)
	e.hold(false)
	work.Wait()
	for _, sh := range []store.Shard{w.Shard, w.second} {
		if n, err := w.Older(sh); n != 0 || err != nil {
			t.Errorf("%d rows are under the old key, %v", n, err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
	if got, err := numbers(t, w, "q"); len(got) != 8 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}

// TestRotateWhileMoving replaces the key when a slice of a namespace that moves was sealed for
// its new shard but not stored there: it is not stored under the old key.
func TestRotateWhileMoving(t *testing.T) {
	t.Parallel()
	e := &gated{Engine: memory.New(memory.Config{Shards: 3})}
	p := newPlayer(t, Subject{Engine: e}, NewDomain(), NewClock(), broker.Config{})
	p.run("queue q durable\nfill a q 3\nflush a")
	p.closeAll()
	rotated := 0
	e.fn = func() {
		rotated++
		if err := p.world.Rotate(); err != nil {
			t.Error(err)
		}
	}
	e.armed.Store(1)
	p.run("relocate first 2")
	if n, err := p.world.Older(p.world.second); rotated != 1 || n != 0 || err != nil {
		t.Errorf("%d times rotated, %d rows under the old key, %v", rotated, n, err)
	}
	p.run("reseal\nget a q => 1 2")
	p.stop()
}
