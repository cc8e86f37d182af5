package core

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// load plays until the process is killed, or the load ended.
func (c *child) load(ctx context.Context) error {
	for _, q := range c.plan.Queues {
		if err := c.declare(ctx, q); err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(c.plan.Seed, 0))
	errs := make(chan error, mostActors)
	run := func(what string, fn func(*rand.Rand) error) {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		c.actors.Go(func() { errs <- fmt.Errorf("%s: %w", what, fn(own)) })
	}
	for range 2 + rng.IntN(2) {
		run("publish", func(r *rand.Rand) error { return c.publish(ctx, r, c.routes(r)) })
	}
	for _, name := range []string{"group", "turns"} {
		run("publish "+name, func(r *rand.Rand) error {
			return c.publish(ctx, r, []route{c.groups(name)})
		})
	}
	run("publish once", func(r *rand.Rand) error {
		return c.publish(ctx, r, []route{{[]string{"once"}, c.repetition, 20}})
	})
	for range 1 + rng.IntN(2) {
		run("commit", func(r *rand.Rand) error { return c.commit(ctx, r) })
	}
	for _, name := range []string{"purge", "again"} {
		run(name, func(r *rand.Rand) error { return c.purge(ctx, r, c.plan.queue(name)) })
	}
	for _, h := range c.habits(rng) {
		run("consume "+h.queue.Name, func(r *rand.Rand) error { return c.consume(ctx, r, h) })
	}
	for _, name := range []string{"group", "lease", "lease", "worn"} {
		run("receive "+name, func(r *rand.Rand) error {
			return c.receive(ctx, r, c.plan.queue(name))
		})
	}
	for range 2 {
		run("get turns", func(r *rand.Rand) error { return c.get(ctx, r, c.plan.queue("turns")) })
	}
	if c.plan.Locks {
		run("lock", func(r *rand.Rand) error { return c.lock(ctx, r) })
	}
	select {
	case err := <-errs:
		return err
	case <-c.ended:
		return nil
	}
}

// mostActors is more than a load has goroutines.
const mostActors = 100

// route is one way to publish.
type route struct {
	queues []string // without prefix
	facts  func(*rand.Rand) Facts
	large  int // per mille of bodies above 4 KiB
}

// routes gives what a publisher does, of all that there is.
func (c *child) routes(rng *rand.Rand) []route {
	plain := func(*rand.Rand) Facts { return Facts{} }
	urgent := func(r *rand.Rand) Facts { return Facts{Priority: uint8(r.IntN(5))} }
	late := func(r *rand.Rand) Facts { return Facts{Delay: r.Int64N(200)} }
	brief := func(r *rand.Rand) Facts { return Facts{Expiry: 1 + r.Int64N(400)} }
	all := []route{
		{[]string{"cold"}, urgent, 5}, {[]string{"fan1", "fan2", "fan3"}, plain, 150},
		{[]string{"fan2", "work"}, urgent, 5}, {[]string{"work"}, urgent, 5},
		{[]string{"single", "memory"}, plain, 5}, {[]string{"lease"}, plain, 20},
		{[]string{"lease"}, plain, 20}, {[]string{"delay"}, late, 20}, {[]string{"due"}, plain, 5},
		{[]string{"expire"}, brief, 9}, {[]string{"brief"}, plain, 5}, {[]string{"head"}, plain, 9},
		{[]string{"full"}, plain, 5}, {[]string{"reject"}, plain, 20}, {[]string{"worn"}, plain, 5},
		{[]string{"from"}, plain, 5}, {[]string{"from"}, plain, 5}, {nil, plain, 0},
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:4+rng.IntN(len(all)-3)]
}

// groups publishes to a queue with groups; one publisher does, so that the order
// of a group is the order of sending.
func (c *child) groups(name string) route {
	return route{[]string{name}, func(r *rand.Rand) Facts {
		return Facts{Group: fmt.Sprint("g", r.IntN(6))}
	}, 10}
}

// repetition gives one of a few deduplication ids.
func (c *child) repetition(r *rand.Rand) Facts { return c.repeat(r.IntN(deduped)) }

// deduped is the number of ids that are sent again and again.
const deduped = 150

func (c *child) repeat(n int) Facts {
	return Facts{Durable: true, Dedup: fmt.Sprint(c.plan.Prefix, n)}
}

// mostSent bounds what one publisher sends, should the kill be late.
const mostSent = 3000

// publish sends and is told, until the session fails.
func (c *child) publish(ctx context.Context, rng *rand.Rand, routes []route) error {
	p := c.newSender(c.here)
	window := []int{1, 16, 100, 400}[rng.IntN(4)]
	durable := []int{100, 100, 70, 40}[rng.IntN(4)]
	for {
		for len(p.waiting) < window && p.seq < mostSent {
			var pubs []broker.Publishing
			for range min(1+rng.IntN(4), window-len(p.waiting)) {
				to := &routes[rng.IntN(len(routes))]
				f := to.facts(rng)
				f.Durable = f.Durable || rng.IntN(100) < durable
				for _, name := range to.queues {
					f.To = append(f.To, c.plan.Prefix+name)
				}
				pub, err := p.prepare(f, size(rng, to.large))
				if err != nil {
					return err
				}
				pubs = append(pubs, pub)
			}
			if err := p.Publish(ctx, pubs); err != nil {
				return err
			}
		}
		if err := p.hear(p.next()); err != nil {
			return err
		}
	}
}

// size gives the length of a filler.
func size(rng *rand.Rand, large int) int {
	switch n := rng.IntN(1000); {
	case n < large/8:
		return rng.IntN(maxBody)
	case n < large:
		return 4<<10 + rng.IntN(30<<10)
	}
	return rng.IntN(1 << 10)
}

// sender is a client that publishes.
type sender struct {
	*client
	me      uint32
	seq     uint32
	waiting map[uint64]ID // by tag
}

func (c *child) newSender(n *broker.Namespace) *sender {
	return &sender{client: c.client(n), me: c.publisher(), waiting: map[uint64]ID{}}
}

// prepare seals a message and notes that it is being sent.
func (p *sender) prepare(f Facts, size int) (broker.Publishing, error) {
	p.seq++
	id := newID(p.me, p.seq)
	m, err := p.child.seal(p.Namespace(), id, size, f)
	if err != nil {
		return broker.Publishing{}, err
	}
	pub := broker.Publishing{Message: m, Tag: uint64(id), Confirm: f.Tx == 0}
	for _, name := range f.To {
		p.child.mu.Lock()
		pub.Targets = append(pub.Targets, p.child.queues[name])
		p.child.mu.Unlock()
	}
	if f.Tx == 0 {
		p.waiting[pub.Tag] = id
	}
	p.child.journal.note(Record{Kind: Sending, ID: id, Facts: f})
	return pub, nil
}

// mostIDs bounds the messages of one record.
const mostIDs = 100

// hear notes what became of messages.
func (p *sender) hear(events []broker.Event) error {
	told := map[Kind][]ID{}
	for _, e := range events {
		if e.Kind != broker.Published {
			continue
		}
		id := p.waiting[e.Tag]
		delete(p.waiting, e.Tag)
		k := Confirmed
		switch {
		case e.Err != nil && fault.KindOf(e.Err) == fault.Exhausted:
			k = Refused
		case e.Err != nil:
			return fmt.Errorf("publish %v: %w", id, e.Err)
		case e.Duplicate:
			k = Repeated
		}
		told[k] = append(told[k], id)
	}
	for k, ids := range told {
		for len(ids) > 0 {
			n := min(len(ids), mostIDs)
			p.child.journal.note(Record{Kind: k, IDs: ids[:n]})
			ids = ids[n:]
		}
	}
	return nil
}

// settleUp waits until all is told of.
func (p *sender) settleUp() error {
	for len(p.waiting) > 0 {
		if err := p.hear(p.next()); err != nil {
			return err
		}
	}
	return nil
}

// purge publishes to a queue and now and then purges it, or deletes it and
// declares it again.
func (c *child) purge(ctx context.Context, rng *rand.Rand, q *Queue) error {
	p := c.newSender(c.here)
	for round := 0; ; round++ {
		for range 1 + rng.IntN(60) {
			f := Facts{To: []string{q.Name}, Durable: rng.IntN(4) > 0}
			pub, err := p.prepare(f, size(rng, 10))
			if err != nil {
				return err
			}
			if err := p.Publish(ctx, []broker.Publishing{pub}); err != nil {
				return err
			}
		}
		if err := p.settleUp(); err != nil {
			return err
		}
		if rng.IntN(3) > 0 {
			continue
		}
		c.journal.note(Record{Kind: Purging, Queue: q.Name})
		var err error
		if q.Name == c.plan.Prefix+"purge" {
			_, err = c.here.PurgeQueue(ctx, c.queue(q))
		} else if _, err = c.here.DeleteQueue(ctx, c.queue(q), false, false); err == nil {
			err = c.declare(ctx, q)
		}
		if err != nil {
			return err
		}
		c.journal.note(Record{Kind: Purged, Queue: q.Name})
		if round > mostSent/30 {
			<-c.ended
			runtime.Goexit()
		}
	}
}

// lock takes the key away and gives it back. That it is back counts once the
// clocks of both namespaces go again for good.
func (c *child) lock(ctx context.Context, rng *rand.Rand) error {
	var probes []*client
	for _, n := range []*broker.Namespace{c.here, c.other} {
		x := c.client(n)
		if _, _, err := n.DeclareQueue(ctx, nil, broker.QueueSpec{Name: probe}); err != nil {
			return err
		}
		probes = append(probes, x)
	}
	for {
		c.pause(rng.Int64N(50))
		c.journal.note(Record{Kind: Locking})
		c.domain.Lock()
		c.pause(rng.Int64N(10))
		c.domain.Unlock()
		for _, x := range probes {
			if err := x.awake(ctx); err != nil {
				return err
			}
		}
		c.journal.note(Record{Kind: Unlocked})
	}
}

// probe is an empty queue.
const probe = "probe"

// awake returns when the owner of the namespace has heard, durably, that the
// domain is open.
func (s *client) awake(ctx context.Context) error {
	q, _ := s.Namespace().Topology().Queue(probe)
	for {
		_, _, _, err := s.Get(ctx, q, false)
		if err == nil {
			break
		}
		if !locked(err) {
			return err
		}
		s.child.pause(1)
	}
	s.Sync(0)
	s.next()
	return nil
}
