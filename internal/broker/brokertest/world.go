// Package brokertest is the contract of the queue core, written to be run over
// any engine of the store: scripts of what sessions do and what they must see.
// World and Client are for other tests that want a broker without a protocol.
//
// It guarantees that a core which passes keeps order, places, marks, credit and
// durability as far as these scripts show; it does not measure speed.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// patience is how long a test waits for something that must come, on a machine
// that others load: COFFER_PATIENCE, or two minutes.
func patience() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("COFFER_PATIENCE")); err == nil {
		return d
	}
	return 2 * time.Minute
}

// Subject is an engine under test. Shards 0 to 2 are used.
type Subject struct {
	store.Engine
	// Crash gives the engine that opens what a crash at this instant would leave.
	Crash func(testing.TB) store.Engine
	// Reopen closes the engine and opens it again.
	Reopen func(testing.TB) store.Engine
}

// World is a core with one namespace over an engine.
type World struct {
	T         testing.TB
	Core      *broker.Core
	Namespace *broker.Namespace
	Control   *control.DB
	Domain    *Domain
	Shard     store.Shard // of the queues
	// Other lies in another shard; nil until Open opens it.
	Other *broker.Namespace

	id, other broker.NamespaceID
	second    store.Shard // of the queues of Other
	swapped   bool        // Shard is the second, and second the first
}

// Start opens a core over the engine, with a namespace that it creates if
// needed. cfg's Shards, Control and, when nil, Logger are filled in.
func Start(t testing.TB, e store.Engine, d *Domain, cfg broker.Config) *World {
	t.Helper()
	w, err := open(t, e, d, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func open(t testing.TB, e store.Engine, d *Domain, cfg broker.Config) (*World, error) {
	ctx := t.Context()
	w := &World{T: t, Domain: d, id: broker.NamespaceID{7}, other: broker.NamespaceID{0x70}}
	zero, err := e.Open(ctx, 0)
	if err != nil {
		return nil, err
	}
	if w.Shard, err = e.Open(ctx, 1); err != nil {
		return nil, err
	}
	if w.second, err = e.Open(ctx, 2); err != nil {
		return nil, err
	}
	w.Control, err = control.Open(ctx, zero, make([]byte, seal.KeySize), control.Config{})
	if err != nil {
		return nil, err
	}
	cfg.Shards, cfg.Control = []store.Shard{w.Shard, w.second}, w.Control
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if w.Core, err = broker.Open(ctx, cfg); err != nil {
		return nil, err
	}
	if err := w.Core.CreateNamespace(ctx, w.id); err != nil {
		return nil, err
	}
	if err := w.Core.CreateNamespace(ctx, w.other); err != nil {
		return nil, err
	}
	w.Namespace, err = w.Core.OpenNamespace(w.id, d)
	return w, err
}

// OpenOther opens the second namespace.
func (w *World) OpenOther() (err error) {
	w.Other, err = w.Core.OpenNamespace(w.other, w.Domain)
	return err
}

// In gives the world with the other namespace in the place of the first.
func (w *World) In() *World {
	x := *w
	x.Namespace = w.Other
	return &x
}

// Stop closes the core; sessions must be closed.
func (w *World) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	defer cancel()
	return w.Core.Close(ctx)
}

// Lock locks or opens the domain and returns when that is durable, so that what
// follows is at a later time for the owner, too.
func (w *World) Lock(locked bool) {
	w.T.Helper()
	if locked {
		w.Domain.Lock()
	} else {
		w.Domain.Unlock()
	}
	w.Settle()
}

// Settle returns when the owner has worked off what came before, durably.
func (w *World) Settle() {
	w.T.Helper()
	c := w.Client(broker.SessionConfig{})
	if err := errors.Join(c.Flush(), c.Close(context.Background())); err != nil {
		w.T.Fatal(err)
	}
}

// Queue gives the queue of that name, which must exist.
func (w *World) Queue(name string) *broker.Queue {
	w.T.Helper()
	q, ok := w.Namespace.Topology().Queue(name)
	if !ok {
		w.T.Fatalf("no queue %q", name)
	}
	return q
}

// Declare declares a queue.
func (w *World) Declare(s *broker.Session, spec broker.QueueSpec) *broker.Queue {
	w.T.Helper()
	q, _, err := w.Namespace.DeclareQueue(w.T.Context(), s, spec)
	if err != nil {
		w.T.Fatal(err)
	}
	return q
}

// Message seals a message whose body is text.
func (w *World) Message(address, key, text string, durable bool) (broker.Message, error) {
	return w.MessageLike(broker.Message{Address: address, Key: key, Durable: durable}, text)
}

// MessageLike is Message with all that the caller of Seal fills in as in like.
func (w *World) MessageLike(like broker.Message, text string) (broker.Message, error) {
	c := broker.Content{Format: 1, Header: []byte("header"), Body: []byte(text)}
	m, err := w.Namespace.Seal(nil, c, seal.Facts{})
	like.Sealed = m.Sealed
	return like, err
}

// Client is a session whose events a test waits for.
type Client struct {
	*broker.Session
	world  *World
	wake   chan struct{}
	events []broker.Event
	tag    uint64
}

// Client begins a session.
func (w *World) Client(cfg broker.SessionConfig) *Client {
	c := &Client{world: w, wake: make(chan struct{}, 1)}
	cfg.Wake = func() {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	c.Session = w.Namespace.NewSession(cfg)
	return c
}

// Wait gives the next event of a kind and keeps the others, or an error when it
// does not come.
func (c *Client) Wait(kind broker.EventKind) (broker.Event, error) {
	timeout := time.NewTimer(patience())
	defer timeout.Stop()
	for {
		for i, e := range c.events {
			if e.Kind == kind {
				c.events = append(c.events[:i:i], c.events[i+1:]...)
				return e, nil
			}
		}
		c.poll()
		if len(c.events) > 0 && c.events[len(c.events)-1].Kind == kind {
			continue
		}
		if c.has(kind) {
			continue
		}
		select {
		case <-c.wake:
		case <-timeout.C:
			return broker.Event{}, fmt.Errorf("no event of kind %d came", kind)
		}
	}
}

func (c *Client) has(kind broker.EventKind) bool {
	for _, e := range c.events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

func (c *Client) poll() {
	for {
		var buf [64]broker.Event
		got := c.Next(buf[:0])
		if len(got) == 0 {
			return
		}
		c.events = append(c.events, got...)
	}
}

// Flush returns when everything asked for before is durable; what came until
// then can be waited for without waiting.
func (c *Client) Flush() error {
	c.tag++
	c.Sync(c.tag)
	for {
		e, err := c.Wait(broker.Synced)
		if err != nil || e.Err != nil {
			return fmt.Errorf("sync: %v %w", err, e.Err)
		}
		if e.Tag == c.tag {
			return nil
		}
	}
}

// Pending gives the deliveries that are there now and removes them.
func (c *Client) Pending() []broker.Delivery {
	c.poll()
	var list []broker.Delivery
	keep := c.events[:0]
	for _, e := range c.events {
		if e.Kind == broker.Delivered {
			list = append(list, e.Delivery)
		} else {
			keep = append(keep, e)
		}
	}
	c.events = keep
	return list
}

// Send publishes texts, each to where address and key lead, and waits until all
// are confirmed.
func (c *Client) Send(address, key string, durable bool, texts ...string) error {
	m := broker.Message{Address: address, Key: key, Durable: durable}
	return c.SendLike(m, texts...)
}

// SendLike is Send of messages like m. The arguments of a binding are what texts for
// it begin with.
func (c *Client) SendLike(like broker.Message, texts ...string) error {
	_, err := c.Confirms(like, texts...)
	return err
}

// Confirms is SendLike, and gives the confirms.
func (c *Client) Confirms(like broker.Message, texts ...string) ([]broker.Event, error) {
	var pubs []broker.Publishing
	for _, text := range texts {
		m, err := c.world.MessageLike(like, text)
		if err != nil {
			return nil, err
		}
		topology := c.world.Namespace.Topology()
		targets, _ := topology.RouteMatch(nil, m.Address, m.Key, func(b broker.Binding) bool {
			return strings.HasPrefix(text, string(b.Arguments))
		})
		pubs = append(pubs, broker.Publishing{Message: m, Targets: targets})
	}
	events, err := c.Confirm(pubs)
	for i := range events {
		if err == nil {
			err = events[i].Err
		}
	}
	return events, err
}

// Confirm publishes pubs, whose tags it sets, and gives the confirms, which may
// tell of refusals.
func (c *Client) Confirm(pubs []broker.Publishing) (events []broker.Event, err error) {
	for i := range pubs {
		c.tag++
		pubs[i].Tag, pubs[i].Confirm = c.tag, true
	}
	if err := c.Publish(c.world.T.Context(), pubs); err != nil {
		return nil, err
	}
	for i := range pubs {
		e, err := c.Wait(broker.Published)
		switch {
		case err != nil:
			return events, err
		case e.Tag != pubs[i].Tag:
			return events, fmt.Errorf("confirm %d came in the place of %d", e.Tag, pubs[i].Tag)
		}
		events = append(events, e)
	}
	return events, nil
}

// Rows gives the number of stored keys of a class.
func (w *World) Rows(class byte) (n int, err error) { return rows(w.Shard, class) }

func rows(sh store.Shard, class byte) (n int, err error) {
	snap := sh.Snapshot()
	it := snap.Iter([]byte{class}, []byte{class + 1})
	for it.Next() {
		n++
	}
	return n, errors.Join(it.Err(), it.Close(), snap.Close())
}

// Text opens a delivery and gives its body.
func (w *World) Text(d *broker.Delivery) (string, error) {
	c, err := w.Namespace.OpenDelivery(nil, d)
	if err == nil && (c.Format != 1 || string(c.Header) != "header") {
		err = fmt.Errorf("format %d and header %q came back", c.Format, c.Header)
	}
	return string(c.Body), err
}
