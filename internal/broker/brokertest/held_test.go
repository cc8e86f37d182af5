package brokertest

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestReadWhileHeld lets a queue grow beyond its window while nothing becomes
// durable, so that part of it is in no snapshot, and consumes it meanwhile.
func TestReadWhileHeld(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		e := memory.New(memory.Config{Shards: 3})
		w := Start(t, e, NewDomain(), Tiny())
		q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: durable})
		c := w.Client(broker.SessionConfig{})
		if _, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q}); err != nil {
			t.Fatal(err)
		}
		release := e.Hold()
		const n = 400
		x := w.Declare(nil, broker.QueueSpec{Name: "x"})
		for i := range n {
			m, err := w.Message("", "q", fmt.Sprint(i), durable)
			if err != nil {
				t.Fatal(err)
			}
			p := broker.Publishing{Message: m, Targets: []*broker.Queue{q}}
			if err := c.Publish(t.Context(), []broker.Publishing{p}); err != nil {
				t.Fatal(err)
			}
			if i < 20 { // the owner closes a batch after each, until it may close no more
				answered(t, c, x)
			}
		}
		consumer, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: -1})
		if err != nil || consumer == nil {
			t.Fatal(err)
		}
		answered(t, c, x)
		if durable {
			if got := c.Pending(); len(got) > 0 {
				t.Fatalf("%d messages came before they were durable", len(got))
			}
		}
		release()
		expect(t, w, c, n)
		if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRepetitionWaits publishes with an id, and again in another session, while
// nothing becomes durable: the repetition is no more certain than the first.
func TestRepetitionWaits(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{
		Name: "q", Durable: true, Limits: broker.Limits{Dedup: 1000},
	})
	empty := w.Declare(nil, broker.QueueSpec{Name: "x"})
	release := e.Hold()
	var clients []*Client
	for _, text := range []string{"first", "again"} {
		c := w.Client(broker.SessionConfig{})
		m, err := w.Message("", "q", text, true)
		if err != nil {
			t.Fatal(err)
		}
		m.Dedup = w.Namespace.DedupID("", "id")
		p := broker.Publishing{Message: m, Targets: []*broker.Queue{q}, Confirm: true}
		if err := c.Publish(t.Context(), []broker.Publishing{p}); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	for _, c := range clients {
		answered(t, c, empty)
		if c.poll(); c.has(broker.Published) {
			t.Errorf("told before it is durable: %+v", c.events)
		}
	}
	release()
	for i, c := range clients {
		ev, err := c.Wait(broker.Published)
		if err != nil || ev.Err != nil || ev.Duplicate != (i == 1) {
			t.Errorf("publish %d: %+v, %v", i, ev, err)
		}
		closed(t, c)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestAnswersWait settles, ends a lease and purges while nothing becomes durable:
// none of it is answered before it is.
func TestAnswersWait(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	empty := w.Declare(nil, broker.QueueSpec{Name: "x"})
	c := w.Client(broker.SessionConfig{})
	queues := map[string]*broker.Queue{}
	for _, name := range []string{"taken", "leased", "purged"} {
		queues[name] = w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
		if err := c.Send("", name, true, "1"); err != nil {
			t.Fatal(err)
		}
	}
	d, _, _, err := c.Get(t.Context(), queues["taken"], false)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Receive(t.Context(), broker.ReceiveSpec{
		Queue: queues["leased"], Max: 1, Lease: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	release := e.Hold()
	c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
	c.Sync(1)
	calls := make(chan error, 2)
	go func() {
		_, err := w.Namespace.SettleLeases(t.Context(), queues["leased"],
			[]broker.LeaseRef{list[0].Lease}, broker.Accept, false)
		calls <- err
	}()
	go func() {
		_, err := w.Namespace.PurgeQueue(t.Context(), queues["purged"])
		calls <- err
	}()
	for _, q := range queues { // done in memory
		for ready, unacked, _ := q.Counts(); ready+unacked > 0; ready, unacked, _ = q.Counts() {
			runtime.Gosched()
		}
	}
	for range 100 { // turns in which an answer would come
		answered(t, c, empty)
	}
	if c.poll(); c.has(broker.Synced) || len(calls) > 0 {
		t.Errorf("%d calls and %+v were answered before they were durable", len(calls), c.events)
	}
	release()
	for range 2 {
		if err := <-calls; err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Wait(broker.Synced); err != nil {
		t.Error(err)
	}
	closed(t, c)
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}

// answered returns when the owner has worked off what came before. The queue is
// empty.
func answered(t *testing.T, c *Client, empty *broker.Queue) {
	t.Helper()
	if _, _, ok, err := c.Get(t.Context(), empty, false); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// expect wants the numbers from 0 to n-1 in order.
func expect(t *testing.T, w *World, c *Client, n int) {
	t.Helper()
	for i := range n {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatalf("delivery %d: %v", i, err)
		}
		if text, err := w.Text(&ev.Delivery); err != nil || text != fmt.Sprint(i) {
			t.Fatalf("delivery %d is %q, %v", i, text, err)
		}
	}
}

// TestFailedStore lets a batch fail: nobody is told that anything in it or after
// it is durable, waiting calls end, and the core can be closed.
func TestFailedStore(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{store.ErrLost, store.ErrUnknown} {
		e := memory.New(memory.Config{Shards: 3})
		w := Start(t, e, NewDomain(), broker.Config{})
		q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
		c := w.Client(broker.SessionConfig{})
		if _, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: -1}); err != nil {
			t.Fatal(err)
		}
		if err := c.Send("", "q", true, "1"); err != nil {
			t.Fatal(err)
		}
		expect0(t, c)
		waiting := receiveLong(t, w)
		e.FailBatch(1, 1, failure)
		if err := c.Send("", "q", true, "2"); !errors.Is(err, failure) {
			t.Fatalf("confirm with error %v", err)
		}
		if got := c.Pending(); len(got) > 0 {
			t.Fatalf("%d messages of a failed batch came", len(got))
		}
		if err := <-waiting; !errors.Is(err, failure) {
			t.Fatalf("receive that waited: %v", err)
		}
		if err := c.Send("", "q", true, "3"); !errors.Is(err, failure) {
			t.Fatalf("publish after the failure: %v", err)
		}
		if _, _, _, err := c.Get(t.Context(), q, false); !errors.Is(err, failure) {
			t.Fatalf("get after the failure: %v", err)
		}
		if err := c.Close(t.Context()); !errors.Is(err, failure) {
			t.Fatalf("close of a session: %v", err)
		}
		if err := w.Stop(); !errors.Is(err, failure) {
			t.Fatalf("close: %v", err)
		}
	}
}

func expect0(t *testing.T, c *Client) {
	t.Helper()
	if _, err := c.Wait(broker.Delivered); err != nil {
		t.Fatal(err)
	}
}

// receiveLong begins a receive that nothing ends, and gives its error.
func receiveLong(t *testing.T, w *World) <-chan error {
	t.Helper()
	q := w.Declare(nil, broker.QueueSpec{Name: "empty", Durable: true})
	c := w.Client(broker.SessionConfig{})
	done := make(chan error, 1)
	go func() {
		spec := broker.ReceiveSpec{Queue: q, Max: 1, Lease: time.Hour, Wait: time.Hour}
		_, err := c.Receive(t.Context(), spec)
		done <- err
	}()
	for q.Receiving() == 0 {
		runtime.Gosched()
	}
	return done
}
