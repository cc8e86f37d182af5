package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"

	"coffer/internal/broker"
	"coffer/internal/broker/brokertest"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// What the parent tells a child by its environment. The pipe is descriptor 3.
const (
	envRole   = "COFFER_CRASH_CHILD" // "load" or "drain"
	envData   = "COFFER_CRASH_DATA"
	envSeed   = "COFFER_CRASH_ROUND_SEED"
	envNumber = "COFFER_CRASH_ROUND"
	envLife   = "COFFER_CRASH_LIFE" // kills so far in this round
)

// child is the process that is killed.
type child struct {
	plan    *Plan
	life    int
	journal *journal
	noise   []byte
	engine  *embedded.Engine
	shards  []store.Shard // of queues
	db      *control.DB
	core    *broker.Core
	domain  *brokertest.Domain // its secret is the same in every process
	here    *broker.Namespace
	other   *broker.Namespace
	ended   chan struct{} // closed when a load in this process must end
	actors  sync.WaitGroup

	mu       sync.Mutex
	queues   map[string]*broker.Queue // of the load; one is declared again at times
	pubs     uint32
	sessions []*broker.Session
}

// Child plays the part that the environment asks for, and ends the process; it
// returns at once when there is none.
func Child() {
	role := os.Getenv(envRole)
	if role == "" {
		return
	}
	code := 0
	if err := runChild(role); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		code = 1
	}
	os.Exit(code)
}

func runChild(role string) error {
	seedOf, err := strconv.ParseUint(os.Getenv(envSeed), 10, 64)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(os.Getenv(envNumber))
	if err != nil {
		return err
	}
	life, err := strconv.Atoi(os.Getenv(envLife))
	if err != nil {
		return err
	}
	c := newChild(NewPlan(seedOf, number), life, toPipe(os.NewFile(3, "journal")))
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	err = c.open(ctx, embedded.Config{
		Dir: os.Getenv(envData), CacheBytes: 8 << 20, FlushBytes: 1 << 20, Logger: log,
	})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if role == "load" {
		return c.load(ctx)
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	if err := c.close(ctx); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	c.journal.note(Record{Kind: Drained})
	return nil
}

// newChild gives one that has nothing open.
func newChild(p *Plan, life int, write func(Record)) *child {
	return &child{
		plan: p, life: life, noise: noise(), journal: &journal{write: write},
		domain: brokertest.NewDomain(), queues: map[string]*broker.Queue{},
		ended: make(chan struct{}),
	}
}

func (c *child) close(ctx context.Context) error {
	return errors.Join(c.core.Close(ctx), c.engine.Close())
}

// Shards of a child's directory: control, two of queues, events.
const childShards = 4

// open opens the engine and the core, with both namespaces.
func (c *child) open(ctx context.Context, where embedded.Config) (err error) {
	where.Shards = childShards
	c.engine, err = embedded.Open(where)
	if err != nil {
		return err
	}
	zero, err := c.engine.Open(ctx, 0)
	if err != nil {
		return err
	}
	for id := store.ShardID(1); id < childShards-1; id++ {
		s, err := c.engine.Open(ctx, id)
		if err != nil {
			return err
		}
		c.shards = append(c.shards, s)
	}
	c.db, err = control.Open(ctx, zero, make([]byte, seal.KeySize), control.Config{})
	if err != nil {
		return err
	}
	cfg := broker.Config{}
	switch c.plan.Window {
	case 1:
		cfg = brokertest.Tiny()
	case 2:
		cfg = broker.Config{WindowBytes: 256 << 10, PageBytes: 16 << 10, BatchBytes: 64 << 10}
	}
	cfg.Shards, cfg.Control, cfg.Logger = c.shards, c.db, where.Logger
	if c.core, err = broker.Open(ctx, cfg); err != nil {
		return err
	}
	if c.here, err = c.namespace(ctx, hereID); err == nil {
		c.other, err = c.namespace(ctx, otherID)
	}
	if err == nil {
		c.journal.note(Record{Kind: Opened})
	}
	return err
}

// namespace opens the namespace with that id; the first is in the first shard, the
// second in the second.
func (c *child) namespace(ctx context.Context, id byte) (*broker.Namespace, error) {
	if err := c.core.CreateNamespace(ctx, broker.NamespaceID{id}); err != nil {
		return nil, err
	}
	return c.core.OpenNamespace(broker.NamespaceID{id}, c.domain)
}

// in gives the namespace of a queue.
func (c *child) in(q *Queue) *broker.Namespace {
	if q.Other {
		return c.other
	}
	return c.here
}

// queue gives the queue as it is now.
func (c *child) queue(q *Queue) *broker.Queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queues[q.Name]
}

// declare makes a queue, or finds it.
func (c *child) declare(ctx context.Context, q *Queue) error {
	made, _, err := c.in(q).DeclareQueue(ctx, nil, q.Spec)
	if err != nil {
		return fmt.Errorf("declare %s: %w", q.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queues[q.Name] = made
	return nil
}

// publisher gives a number that nobody had in this round.
func (c *child) publisher() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pubs++
	return uint32(c.life)<<16 | c.pubs
}

// seal seals a message, as soon as the domain lets it.
func (c *child) seal(n *broker.Namespace, id ID, size int, f Facts) (broker.Message, error) {
	content := broker.Content{Format: 1, Header: []byte("h"), Body: body(id, c.noise[:size])}
	for {
		m, err := n.Seal(nil, content, seal.Facts{})
		if err == nil {
			m.Durable, m.Priority, m.Group = f.Durable, f.Priority, f.Group
			if f.Expiry > 0 {
				m.Expiry = broker.AtMost(f.Expiry)
			}
			if f.Dedup != "" {
				m.Dedup = n.DedupID("", f.Dedup)
			}
			if f.Delay > 0 {
				m.Delay = broker.AtMost(f.Delay)
			}
			return m, nil
		}
		if n.Locked() == nil && !locked(err) {
			return m, err
		}
		c.pause(1)
	}
}

// client is a session whose events are waited for.
type client struct {
	*broker.Session
	child  *child
	wake   chan struct{}
	events []broker.Event
	tag    uint64
}

func (c *child) client(n *broker.Namespace) *client {
	s := &client{child: c, wake: make(chan struct{}, 1)}
	s.Session = n.NewSession(broker.SessionConfig{Wake: func() {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = append(c.sessions, s.Session)
	return s
}

// next waits for events. At the end of the load it ends the goroutine.
func (s *client) next() []broker.Event {
	for {
		s.events = s.Next(s.events[:0])
		if len(s.events) > 0 {
			return s.events
		}
		select {
		case <-s.wake:
		case <-s.child.ended:
			runtime.Goexit()
		}
	}
}

// opened opens deliveries of which the first ones may be read. The others go
// back, because the domain is locked.
func (s *client) opened(list []broker.Delivery) ([]got, error) {
	var all []got
	for i := range list {
		d := &list[i]
		content, err := s.Namespace().OpenDelivery(nil, d)
		if locked(err) {
			var refs []broker.DeliveryRef
			for _, x := range list[i:] {
				if x.Ref != (broker.DeliveryRef{}) {
					refs = append(refs, x.Ref)
				}
			}
			s.Return(refs) // but what is under a lease
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("open delivery from %s: %w", d.Queue.Spec().Name, err)
		}
		id, err := parseBody(content.Body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Queue.Spec().Name, err)
		}
		all = append(all, got{id, d})
	}
	return all, nil
}

// got is a message that was opened.
type got struct {
	id ID
	d  *broker.Delivery
}

// record tells of it.
func (g *got) record(taker, asked int) Record {
	r := Record{
		Kind: Got, Queue: g.d.Queue.Spec().Name, ID: g.id, Taker: taker, Asked: asked,
		Redelivered: g.d.Redelivered, Count: int(g.d.Count),
	}
	if h := g.d.History; h != nil && len(h.Deaths) > 0 {
		r.Reason = int(h.Deaths[0].Reason)
	}
	return r
}
