package brokertest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// publishing seals text for the queue of that name.
func publishing(t testing.TB, w *World, queue, text string, durable bool) broker.Publishing {
	t.Helper()
	m, err := w.Message("", queue, text, durable)
	if err != nil {
		t.Fatal(err)
	}
	return broker.Publishing{Message: m, Targets: []*broker.Queue{w.Queue(queue)}}
}

func consume(t *testing.T, c *Client, spec broker.ConsumerSpec) {
	t.Helper()
	if _, err := c.Consume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

// TestCommitWaits holds the store: neither the event nor what a transaction
// causes to be delivered comes before it is durable, be it transient, released,
// allowed by credit that came back, or dead.
func TestCommitWaits(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	w.Declare(nil, broker.QueueSpec{Name: "t"})
	d := w.Declare(nil, broker.QueueSpec{Name: "d", Limits: broker.Limits{
		Dead: broker.DeadLetter{Set: true, OwnKey: true, Key: "g"},
	}})
	w.Declare(nil, broker.QueueSpec{Name: "g"})
	c := w.Client(broker.SessionConfig{})
	other := w.Client(broker.SessionConfig{})
	consume(t, other, broker.ConsumerSpec{Queue: w.Queue("g"), Credit: -1})
	consume(t, c, broker.ConsumerSpec{Queue: w.Queue("q"), Credit: 1, Replenish: true})
	consume(t, c, broker.ConsumerSpec{Queue: w.Queue("t"), Credit: -1})
	if err := c.Send("", "q", true, "1", "2"); err != nil {
		t.Fatal(err)
	}
	first, err := c.Wait(broker.Delivered)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send("", "d", false, "0"); err != nil {
		t.Fatal(err)
	}
	dying, _, ok, err := c.Get(t.Context(), d, false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	release := e.Hold()
	tx := broker.Transaction{
		Publishings: []broker.Publishing{
			publishing(t, w, "q", "3", true), publishing(t, w, "t", "4", false),
		},
		Settlements: []broker.Settlement{
			{Ref: first.Delivery.Ref, Outcome: broker.Accept},
			{Ref: dying.Ref, Outcome: broker.Reject},
		},
	}
	if err := c.Commit(t.Context(), tx, 77); err != nil {
		t.Fatal(err)
	}
	// The answer of Get comes after the owner has seen the transaction.
	x := w.Declare(nil, broker.QueueSpec{Name: "x"})
	if _, _, ok, err := c.Get(t.Context(), x, false); ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := append(c.Next(nil), other.Next(nil)...); len(got) > 0 {
		t.Fatalf("event of kind %d came before the transaction was durable", got[0].Kind)
	}
	release()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(c.events) != 3 || c.events[0].Kind != broker.Committed || c.events[0].Tag != 77 {
		t.Fatalf("%d events, the first of kind %d", len(c.events), c.events[0].Kind)
	}
	if _, err := other.Wait(broker.Delivered); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Close(t.Context()), c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}

// TestCommitIsOneBatch commits more than a batch usually takes, as one, and
// refuses what no batch takes.
func TestCommitIsOneBatch(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{BatchBytes: 4 << 10})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	if err := c.Send("", "q", true, "first"); err != nil {
		t.Fatal(err)
	}
	d, _, ok, err := c.Get(t.Context(), q, false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	tx := broker.Transaction{
		Settlements: []broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}},
	}
	for i := range 500 {
		text := strconv.Itoa(i) + strings.Repeat(" ", 1000)
		tx.Publishings = append(tx.Publishings, publishing(t, w, "q", text, true))
	}
	before := w.Core.Stats().Batches
	if err := c.Transact(tx); err != nil {
		t.Fatal(err)
	}
	if n := w.Core.Stats().Batches - before; n != 1 {
		t.Errorf("%d batches", n)
	}
	p := tx.Publishings[0]
	p.Targets = slices.Repeat(p.Targets, broker.MaxTransactionCount)
	over := broker.Transaction{Publishings: []broker.Publishing{p}}
	if err := c.Transact(over); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("too many targets: %v", err)
	}
	big := publishing(t, w, "q", strings.Repeat("x", broker.MaxTransactionBytes/160), true)
	over.Publishings = slices.Repeat([]broker.Publishing{big}, 160)
	if err := c.Transact(over); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("too many bytes: %v", err)
	}
	over.Publishings = over.Publishings[:100] // more than the session's window
	if err := c.Transact(over); err != nil {
		t.Errorf("less than the bound: %v", err)
	}
	if ready, _, _ := q.Counts(); ready != 600 {
		t.Errorf("%d messages", ready)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Commit(t.Context(), broker.Transaction{}, 1); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("commit after close: %v", err)
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

// TestCommitFails lets the batch of a transaction fail.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	e.FailBatch(1, 1, store.ErrUnknown)
	p := publishing(t, w, "q", "1", true)
	err := c.Transact(broker.Transaction{Publishings: []broker.Publishing{p}})
	if !errors.Is(err, store.ErrUnknown) {
		t.Errorf("commit: %v", err)
	}
	if err := c.Close(t.Context()); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("close: %v", err)
	}
	if err := w.Stop(); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("stop: %v", err)
	}
}

// TestCommitCrash passes a message from queue to queue, a copy each time staying
// behind in a third one, and takes the disk at many points: each transaction was
// done as a whole or not at all.
func TestCommitCrash(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	w := Start(t, openEmbedded(t, disk), NewDomain(), Tiny())
	for _, name := range []string{"a", "b", "log"} {
		w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
	}
	c := w.Client(broker.SessionConfig{})
	if err := c.Send("", "a", true, "0"); err != nil {
		t.Fatal(err)
	}
	var images []*storetest.Disk
	disk.OnChange(func(ch storetest.Change) error {
		if ch.N%5 == 0 && len(images) < 40 {
			images = append(images, disk.Lose(ch.N%3*50, uint64(ch.N)))
		}
		return nil
	})
	from, to := "a", "b"
	for i := 1; i <= 100; i++ {
		d, _, ok, err := c.Get(t.Context(), w.Queue(from), false)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		err = c.Transact(broker.Transaction{
			Publishings: []broker.Publishing{
				publishing(t, w, to, strconv.Itoa(i), true),
				publishing(t, w, "log", strconv.Itoa(i), true),
			},
			Settlements: []broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}},
		})
		if err != nil {
			t.Fatal(err)
		}
		from, to = to, from
	}
	disk.OnChange(nil)
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	if len(images) < 20 {
		t.Fatalf("only %d images were taken", len(images))
	}
	for i, image := range images {
		if err := passed(t, w.Domain, image); err != nil {
			t.Fatalf("image %d: %v", i, err)
		}
	}
}

// passed checks that one message exists, and as many copies as its number says.
func passed(t *testing.T, d *Domain, disk *storetest.Disk) error {
	e, err := embedded.Open(embedded.Config{Dir: "data", FS: disk, Shards: 3})
	if err != nil {
		return err
	}
	healthy(t, e)
	w := Start(t, e, d, Tiny())
	a, b := w.Queue("a"), w.Queue("b")
	inA, _, _ := a.Counts()
	inB, _, _ := b.Counts()
	copies, _, _ := w.Queue("log").Counts()
	if inA+inB != 1 {
		return fmt.Errorf("%d messages in a, %d in b", inA, inB)
	}
	if inB == 1 {
		a = b
	}
	c := w.Client(broker.SessionConfig{})
	m, _, _, err := c.Get(t.Context(), a, false)
	if err != nil {
		return err
	}
	if text, err := w.Text(&m); err != nil || text != fmt.Sprint(copies) {
		return fmt.Errorf("message %q with %d copies, %v", text, copies, err)
	}
	return errors.Join(c.Close(t.Context()), w.Stop(), e.Close())
}

// BenchmarkCommit commits ten publishings and ten settlements at a time.
func BenchmarkCommit(b *testing.B) {
	w := Start(b, benchEngine(b, "embedded"), NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	spec := broker.ConsumerSpec{Queue: q, Credit: -1}
	if _, err := c.Consume(b.Context(), spec); err != nil {
		b.Fatal(err)
	}
	const each = 10
	var tx broker.Transaction
	for range each {
		tx.Publishings = append(tx.Publishings, publishing(b, w, "q", "text", true))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Transact(tx); err != nil {
			b.Fatal(err)
		}
		tx.Settlements = tx.Settlements[:0]
		for range each {
			e, err := c.Wait(broker.Delivered)
			if err != nil {
				b.Fatal(err)
			}
			s := broker.Settlement{Ref: e.Delivery.Ref, Outcome: broker.Accept}
			tx.Settlements = append(tx.Settlements, s)
		}
	}
	if err := errors.Join(c.Close(context.Background()), w.Stop()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDedup publishes messages with ids, each of them twice.
func BenchmarkDedup(b *testing.B) {
	cfg := broker.Config{MaxDedup: 1 << 30}
	w := Start(b, benchEngine(b, "embedded"), NewDomain(), cfg)
	spec := broker.QueueSpec{Name: "q", Durable: true}
	spec.Limits.Dedup = 300_000
	w.Declare(nil, spec)
	c := w.Client(broker.SessionConfig{})
	p := publishing(b, w, "q", "text", true)
	p.Confirm = true
	pubs := make([]broker.Publishing, 64)
	events := make([]broker.Event, 0, len(pubs))
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(pubs) {
		for i := range pubs {
			pubs[i] = p
			id := pubs[i].Message.Dedup[:]
			id[0] = 1
			binary.BigEndian.PutUint64(id[8:], uint64(n+i)/2)
		}
		if err := c.Publish(b.Context(), pubs); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < len(pubs); {
			if events = c.Next(events[:0]); len(events) == 0 {
				<-c.wake
			}
			for i := range events {
				if e := &events[i]; e.Err != nil || e.Duplicate != (got%2 == 1) {
					b.Fatalf("%+v", e)
				}
				got++
			}
		}
	}
	if err := errors.Join(c.Close(context.Background()), w.Stop()); err != nil {
		b.Fatal(err)
	}
}

// TestFurtherKeysCount holds that further keys, which may be more than the rest of a
// message, count where memory and batches are bounded.
func TestFurtherKeysCount(t *testing.T) {
	t.Parallel()
	w, _ := startOnMemory(t, broker.Config{})
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	defer closed(t, c)
	p := publishing(t, w, "q", "", true)
	bare, stored := p.Message.Weight(), p.Message.StoredSize()
	p.Message.Copies = slices.Repeat([]string{strings.Repeat("k", 250)}, broker.MaxCopies)
	const keys = 250 * broker.MaxCopies
	if p.Message.Weight() < bare+keys || p.Message.StoredSize() < stored+keys {
		t.Errorf("weight %d, stored %d", p.Message.Weight(), p.Message.StoredSize())
	}
	tx := broker.Transaction{
		Publishings: slices.Repeat([]broker.Publishing{p}, broker.MaxTransactionBytes/keys),
	}
	if err := c.Transact(tx); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("more than a batch takes: %v", err)
	}
	if _, err := c.Confirm([]broker.Publishing{p}); err != nil {
		t.Fatal(err)
	}
	if m := w.Core.Stats().Memory; m < keys {
		t.Errorf("%d bytes are in memory", m)
	}
}
