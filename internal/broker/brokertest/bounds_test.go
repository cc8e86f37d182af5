package brokertest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store/memory"
)

func startOnMemory(t *testing.T, cfg broker.Config) (*World, *memory.Engine) {
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), cfg)
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w, e
}

func closed(t *testing.T, c *Client) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestLongQueue shows that memory does not grow with a queue and that opening
// one does not read it.
func TestLongQueue(t *testing.T) {
	t.Parallel()
	const n, window = 8000, 128 << 10
	cfg := broker.Config{WindowBytes: window, PageBytes: 32 << 10}
	w, e := startOnMemory(t, cfg)
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	texts := make([]string, 1000)
	for i := range n / len(texts) {
		for k := range texts {
			texts[k] = strconv.Itoa(i*len(texts) + k)
		}
		if err := c.Send("", "q", true, texts...); err != nil {
			t.Fatal(err)
		}
		if m := w.Core.Stats().Memory; m > window {
			t.Fatalf("%d bytes are in memory", m)
		}
	}
	closed(t, c)
	if ready, _, _ := q.Counts(); ready != n {
		t.Fatalf("%d ready", ready)
	}
	again := Start(t, e.Image()(), w.Domain, cfg)
	if s := again.Core.Stats(); s.Pages != 0 || s.Ready != n {
		t.Fatalf("after opening: %+v", s)
	}
	c = again.Client(broker.SessionConfig{})
	spec := broker.ConsumerSpec{Queue: again.Queue("q"), Credit: 100, Replenish: true}
	if _, err := c.Consume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := again.Text(&ev.Delivery); err != nil || text != strconv.Itoa(i) {
			t.Fatalf("delivery %d is %q, %v", i, text, err)
		}
		c.Settle([]broker.Settlement{{Ref: ev.Delivery.Ref, Outcome: broker.Accept}})
		if m := again.Core.Stats().Memory; m > window+2*cfg.WindowBytes/4 {
			t.Fatalf("%d bytes are in memory", m)
		}
	}
	closed(t, c)
	if s := again.Core.Stats(); s.Ready != 0 || s.Unacked != 0 || s.Memory != 0 {
		t.Fatalf("at the end: %+v", s)
	}
	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestPublishWindow shows that Publish waits at the window until what was
// published is durable, and ends with its context or its session.
func TestPublishWindow(t *testing.T) {
	t.Parallel()
	w, e := startOnMemory(t, broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{PublishCount: 3})
	release := e.Hold()
	m, err := w.Message("", "q", "x", true)
	if err != nil {
		t.Fatal(err)
	}
	pubs := make([]broker.Publishing, 5)
	for i := range pubs {
		pubs[i] = broker.Publishing{Message: m, Targets: []*broker.Queue{q}, Tag: uint64(i)}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := c.Publish(ctx, pubs); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("five in a window of three: %v", err)
	}
	release()
	if err := c.Publish(t.Context(), pubs); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if ready, _, _ := q.Counts(); ready != 8 {
		t.Fatalf("%d ready, want 3 and 5", ready)
	}
	closed(t, c)
	if err := c.Publish(t.Context(), pubs); !errors.Is(err, broker.ErrClosed) {
		t.Fatalf("publish after close: %v", err)
	}
}

// TestOutbox shows that a session that does not take its deliveries gets no more
// than its outbox holds, and the rest when it goes on.
func TestOutbox(t *testing.T) {
	t.Parallel()
	w, _ := startOnMemory(t, broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q"})
	p := w.Client(broker.SessionConfig{})
	c := w.Client(broker.SessionConfig{OutboxCount: 10, MaxUnsettled: 40})
	if _, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: -1}); err != nil {
		t.Fatal(err)
	}
	texts := make([]string, 100)
	if err := p.Send("", "q", false, texts...); err != nil {
		t.Fatal(err)
	}
	if _, unacked, _ := q.Counts(); unacked != 10 {
		t.Fatalf("%d assigned, want 10", unacked)
	}
	var refs []broker.Settlement
	for range 40 {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, broker.Settlement{Ref: ev.Delivery.Ref, Outcome: broker.Accept})
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, unacked, _ := q.Counts(); unacked != 40 {
		t.Fatalf("%d unsettled, want the bound of 40", unacked)
	}
	c.Settle(refs)
	for range 40 {
		if _, err := c.Wait(broker.Delivered); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, p)
	closed(t, c)
}

// TestSharedLimit bounds the deliveries of two consumers together.
func TestSharedLimit(t *testing.T) {
	t.Parallel()
	w, _ := startOnMemory(t, broker.Config{})
	c := w.Client(broker.SessionConfig{})
	limit := broker.NewLimit(3)
	for _, name := range []string{"q", "r"} {
		q := w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
		spec := broker.ConsumerSpec{Queue: q, Credit: -1, Shared: limit}
		if _, err := c.Consume(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if err := c.Send("", name, true, "1", "2", "3", "4"); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	got := c.Pending()
	if len(got) != 3 {
		t.Fatalf("%d deliveries under a limit of 3", len(got))
	}
	c.Settle([]broker.Settlement{{Ref: got[0].Ref, Outcome: broker.Accept}})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := c.Pending(); len(got) != 1 {
		t.Fatalf("%d deliveries for one settlement", len(got))
	}
	c.SetLimit(limit, 0)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := c.Pending(); len(got) != 4 {
		t.Fatalf("%d deliveries without a limit, want the last 4", len(got))
	}
	closed(t, c)
}

// TestLargeMessage moves one of the maximum size through the store.
func TestLargeMessage(t *testing.T) {
	t.Parallel()
	w, _ := startOnMemory(t, Tiny())
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	_, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("over the maximum: %v", err)
	}
	body = body[:len(body)-5]
	m, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	m.Durable = true
	c := w.Client(broker.SessionConfig{PublishBytes: 1000})
	pubs := []broker.Publishing{{Message: m, Targets: []*broker.Queue{q}, Tag: 1, Confirm: true}}
	if err := c.Publish(t.Context(), pubs); err != nil {
		t.Fatal(err)
	}
	if e, err := c.Wait(broker.Published); err != nil || e.Err != nil {
		t.Fatal(err, e.Err)
	}
	d, _, ok, err := c.Get(t.Context(), q, true)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	content, err := w.Namespace.OpenDelivery(nil, &d)
	if err != nil || !bytes.Equal(content.Body, body) {
		t.Fatalf("%d bytes came back, %v", len(content.Body), err)
	}
	closed(t, c)
	if _, unacked, _ := q.Counts(); unacked != 0 {
		t.Fatal("it was not settled")
	}
}

// TestNamespaces deletes one namespace and leaves its neighbour alone.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	w, e := startOnMemory(t, broker.Config{})
	ctx := t.Context()
	other := broker.NamespaceID{8}
	if _, err := w.Core.OpenNamespace(other, w.Domain); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("open of a missing namespace: %v", err)
	}
	if err := w.Core.CreateNamespace(ctx, other); err != nil {
		t.Fatal(err)
	}
	n, err := w.Core.OpenNamespace(other, w.Domain)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*broker.Namespace{n, w.Namespace} {
		spec := broker.QueueSpec{Name: "same", Durable: true}
		if _, created, err := x.DeclareQueue(ctx, nil, spec); err != nil || !created {
			t.Fatal(created, err)
		}
	}
	second := &World{T: t, Core: w.Core, Namespace: n, Domain: w.Domain, Shard: w.Shard}
	c, d := w.Client(broker.SessionConfig{}), second.Client(broker.SessionConfig{})
	err = errors.Join(c.Send("", "same", true, "1"), d.Send("", "same", true, "2"))
	if err != nil {
		t.Fatal(err)
	}
	closed(t, d)
	if err := w.Core.DeleteNamespace(ctx, other); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.DeclareQueue(ctx, nil, broker.QueueSpec{Name: "x"}); err == nil {
		t.Fatal("declared in a deleted namespace")
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, w, 0x10); len(got) != 1 {
		t.Fatalf("%d messages are stored", len(got))
	}
	closed(t, c)
	again := Start(t, e.Image()(), w.Domain, broker.Config{})
	if texts, err := served(t, again, "same"); err != nil || len(texts) != 1 || texts[0] != "1" {
		t.Fatal(texts, err)
	}
	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}
}
