package brokertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// records is a Recorder that keeps what it is told.
type records struct {
	mu       sync.Mutex
	selected broker.Deeds
	list     []string // kind, outcome, queue, user, how many
	durable  int
	fail     error
}

func (r *records) Selected(a *broker.Actor, queue string) broker.Deeds {
	r.mu.Lock()
	defer r.mu.Unlock()
	if queue == "unseen" || a.User != "alice" {
		return 0
	}
	return r.selected
}

func (r *records) Record(_ store.ShardID, _ time.Time, b *store.Batch, list []*broker.Deed) (
	func(), error,
) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return nil, r.fail
	}
	for _, d := range list {
		r.list = append(r.list, fmt.Sprint(d.Kind, d.Outcome, " ", d.Queue, " ", len(d.Messages)))
		for _, m := range d.Messages {
			if m.Sequence == 0 || m.ID == [16]byte{} {
				r.list = append(r.list, fmt.Sprint("unnamed ", m))
			}
		}
		b.Set([]byte{0x47, byte(len(r.list))}, nil)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.durable += len(list)
	}, nil
}

// take gives what was recorded since the last call, and how much of all is durable.
func (r *records) take() (string, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.list, ", ")
	r.list = nil
	return text, r.durable
}

func recorded(t *testing.T, e store.Engine, r *records) (*World, *Client) {
	t.Helper()
	w := Start(t, e, NewDomain(), broker.Config{Recorder: r})
	return w, w.Client(broker.SessionConfig{Actor: &broker.Actor{User: "alice"}})
}

func (w *World) end(t *testing.T, list ...*Client) {
	t.Helper()
	for _, c := range list {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeeds: what a session does to the messages of a queue is on record when it is
// selected, durable or transient, in transactions and outside; nothing else is.
func TestDeeds(t *testing.T) {
	t.Parallel()
	const p, d, s = broker.Publishes, broker.Delivers, broker.Settles
	r := &records{selected: p | d | s}
	w, c := recorded(t, memory.New(memory.Config{Shards: 3}), r)
	mallory := w.Client(broker.SessionConfig{Actor: &broker.Actor{User: "mallory"}})
	nobody := w.Client(broker.SessionConfig{})
	for _, name := range []string{"q", "unseen"} {
		w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
	}
	get := func(c *Client, auto bool, o broker.Outcome) {
		t.Helper()
		m, _, found, err := c.Get(t.Context(), w.Queue("q"), auto)
		if ok(t, err); !found {
			t.Fatal("nothing to get")
		}
		if auto {
			_, err = w.Text(&m)
			ok(t, err)
		} else {
			c.Settle([]broker.Settlement{{Ref: m.Ref, Outcome: o}})
		}
		ok(t, c.Flush())
	}
	want := func(what, want string) {
		t.Helper()
		if got, _ := r.take(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	ok(t, c.Send("", "q", true, "1"))
	want("nothing is selected", "")
	w.Core.Reselect(true)
	ok(t, c.Send("", "q", true, "2"))
	want("durable", fmt.Sprint(p, 0, " q 1"))
	ok(t, c.Send("", "q", false, "3"))
	want("transient", fmt.Sprint(p, 0, " q 1"))
	ok(t, c.Send("", "unseen", true, "x"))
	ok(t, nobody.Send("", "q", true, "4"))
	want("an unseen queue, and a session of nobody", "")
	get(c, false, broker.Accept)
	want("accepted", fmt.Sprint(d, 0, " q 1, ", s, broker.Accept, " q 1"))
	get(c, false, broker.Release)
	want("released", fmt.Sprint(d, 0, " q 1, ", s, broker.Release, " q 1"))
	get(c, false, broker.Reject)
	want("rejected", fmt.Sprint(d, 0, " q 1, ", s, broker.Reject, " q 1"))
	get(c, true, 0)
	want("settled by itself", fmt.Sprint(d, 0, " q 1"))
	ok(t, c.Transact(broker.Transaction{Publishings: []broker.Publishing{
		publishing(t, w, "q", "5", true), publishing(t, w, "unseen", "6", true)}}))
	want("a transaction", fmt.Sprint(p, 0, " q 1"))
	w.Core.Reselect(false)
	ok(t, c.Send("", "q", true, "7"))
	want("nothing is selected any more", "")
	r.mu.Lock()
	r.selected = d
	r.mu.Unlock()
	w.Core.Reselect(true)
	ok(t, c.Send("", "q", true, "8"))
	get(c, false, broker.Accept)
	want("deliveries alone", fmt.Sprint(d, 0, " q 1"))
	if _, durable := r.take(); durable != 11 {
		t.Errorf("told of %d durable deeds", durable)
	}
	w.end(t, c, mallory, nobody)
}

// TestDeedsGather: one deed tells of many messages, and of no more than it may.
func TestDeedsGather(t *testing.T) {
	t.Parallel()
	r := &records{selected: broker.Publishes | broker.Settles}
	e := memory.New(memory.Config{Shards: 3})
	w, c := recorded(t, e, r)
	w.Core.Reselect(true)
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	release := e.Hold()
	const many = 2*broker.MaxDeed + 1
	var pubs []broker.Publishing
	for range many {
		m := publishing(t, w, "q", "text", false)
		pubs = append(pubs, m)
	}
	sent := make(chan error, 1)
	go func() { sent <- c.Publish(t.Context(), pubs) }()
	ok(t, <-sent)
	release()
	ok(t, c.Flush())
	got, _ := r.take()
	if n := strings.Count(got, " q "); n < 3 || n > 20 || strings.Contains(got, "unnamed") ||
		!strings.Contains(got, fmt.Sprint(" q ", broker.MaxDeed)) {
		t.Errorf("%d deeds: %.300s", n, got)
	}
	w.end(t, c)
}

// TestDeedsWait: nobody hears of what must be on record before it is durable, not even
// of transient messages.
func TestDeedsWait(t *testing.T) {
	t.Parallel()
	r := &records{selected: broker.Publishes | broker.Delivers}
	e := memory.New(memory.Config{Shards: 3})
	w, c := recorded(t, e, r)
	w.Core.Reselect(true)
	w.Declare(nil, broker.QueueSpec{Name: "q"})
	consume(t, c, broker.ConsumerSpec{Queue: w.Queue("q"), Credit: -1})
	w.Settle()
	release := e.Hold()
	pub := publishing(t, w, "q", "text", false)
	pub.Tag, pub.Confirm = 1, true
	ok(t, c.Publish(t.Context(), []broker.Publishing{pub}))
	deadline := time.Now().Add(patience())
	for r.seen() == 0 { // it is with the store
		if time.Now().After(deadline) {
			t.Fatal("nothing is recorded")
		}
		if c.poll(); len(c.events) > 0 {
			t.Fatalf("told %+v before it is on record", c.events)
		}
	}
	if c.poll(); len(c.events) > 0 {
		t.Fatalf("told %+v before it is on record", c.events)
	}
	release()
	for _, kind := range []broker.EventKind{broker.Published, broker.Delivered} {
		_, err := c.Wait(kind)
		ok(t, err)
	}
	w.end(t, c)
}

func (r *records) seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

// TestDeedsUnrecordable: what cannot be put on record is not done: no confirm, no
// delivery, and no message after a restart.
func TestDeedsUnrecordable(t *testing.T) {
	t.Parallel()
	r := &records{selected: broker.Publishes, fail: errors.New("no pen")}
	e := memory.New(memory.Config{Shards: 3})
	w, c := recorded(t, e, r)
	w.Core.Reselect(true)
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	if err := c.Send("", "q", true, "text"); err == nil {
		t.Error("a message that is on no record was confirmed")
	}
	again := Start(t, e.Image()(), NewDomain(), broker.Config{})
	if n := again.Queue("q").Stats().Ready; n != 0 {
		t.Errorf("%d messages are there after a crash", n)
	}
}

// BenchmarkDeeds publishes durable messages of 1 KiB over an engine in memory, with
// nothing on record and with every message, as events in the trail's own form.
func BenchmarkDeeds(b *testing.B) {
	for _, on := range []bool{false, true} {
		b.Run(fmt.Sprintf("recorded=%t", on), func(b *testing.B) {
			e := memory.New(memory.Config{Shards: 4})
			p := &pen{shard: 1}
			w := Start(b, e, NewDomain(), broker.Config{Recorder: p, WindowBytes: 1 << 30})
			last, err := e.Open(b.Context(), 3)
			if err == nil {
				p.log, err = audit.Open(b.Context(), w.Control, last, 3, audit.Config{
					Data: []audit.DataShard{{Shard: w.Shard, ID: 1}}})
			}
			if err != nil {
				b.Fatal(err)
			}
			w.Core.Reselect(on)
			q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
			c := w.Client(broker.SessionConfig{Actor: &broker.Actor{User: "alice"}})
			m := sealed(b, w, true)
			b.ReportAllocs()
			b.ResetTimer()
			put(b, c, q, m, b.N)
			b.StopTimer()
			if err := errors.Join(c.Close(b.Context()), w.Stop()); err != nil {
				b.Error(err)
			}
			p.log.Close()
		})
	}
}

// pen is a Recorder that writes events of the trail.
type pen struct {
	log   *audit.Log
	shard store.ShardID
}

func (p *pen) Selected(*broker.Actor, string) broker.Deeds { return broker.Publishes }

func (p *pen) Record(id store.ShardID, at time.Time, b *store.Batch, list []*broker.Deed) (
	func(), error,
) {
	var events []*audit.Event
	for _, d := range list {
		var ids []string
		for _, m := range d.Messages {
			ids = append(ids, fmt.Sprintf("%x", m.ID))
		}
		events = append(events, &audit.Event{EventTime: at, EventName: "PublishMessage",
			AWSRegion: "us-east-1", RecipientAccountID: "111122223333", EventCategory: "Data",
			RequestParameters: map[string]any{"messageIds": ids}})
	}
	return p.log.Put(id, b, events)
}
