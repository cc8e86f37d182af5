package brokertest

import (
	"fmt"
	"sync"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/seal"
)

// The benchmarks of this file measure the steps of a message's way one by one, per
// message, over an engine that costs nothing. Messages are sealed before.

const stepBody = 1 << 10 // bytes

// sealed gives a message of stepBody bytes, which benchmarks send again and again.
func sealed(b *testing.B, w *World, durable bool) broker.Message {
	b.Helper()
	body := make([]byte, stepBody)
	m, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
	if err != nil {
		b.Fatal(err)
	}
	m.Durable, m.Key = durable, "key"
	return m
}

func benchWorld(b *testing.B) *World {
	w := Start(b, newNullEngine(), NewDomain(), broker.Config{WindowBytes: 1 << 30})
	b.Cleanup(func() {
		if err := w.Stop(); err != nil {
			b.Error(err)
		}
	})
	return w
}

func benchClient(b *testing.B, w *World) *Client {
	c := w.Client(broker.SessionConfig{})
	b.Cleanup(func() {
		if err := c.Close(b.Context()); err != nil {
			b.Error(err)
		}
	})
	return c
}

// put publishes n messages like m to q and returns when they are confirmed.
func put(b *testing.B, c *Client, q *broker.Queue, m broker.Message, n int) {
	pubs := make([]broker.Publishing, 0, 32)
	targets := []*broker.Queue{q}
	events := make([]broker.Event, 0, 256)
	for sent, confirmed := 0, 0; confirmed < n; {
		pubs = pubs[:0]
		for sent < n && len(pubs) < cap(pubs) {
			sent++
			pubs = append(pubs, broker.Publishing{
				Message: m, Targets: targets, Tag: uint64(sent), Confirm: true,
			})
		}
		if err := c.Publish(b.Context(), pubs); len(pubs) > 0 && err != nil {
			b.Error(err)
			return
		}
		events = c.Next(events[:0])
		if len(events) == 0 && sent == n {
			<-c.wake
		}
		confirmed += len(events)
	}
}

// take waits for n deliveries and gives them to fn, a few at a time. It returns
// when as many have come, or when fn returns false.
func take(c *Client, n int, fn func([]broker.Event) bool) {
	events := make([]broker.Event, 0, 256)
	for got := 0; got < n; {
		events = c.Next(events[:0])
		if len(events) == 0 {
			<-c.wake
			continue
		}
		got += len(events)
		if !fn(events) {
			return
		}
	}
}

func benchConsumer(b *testing.B, c *Client, spec broker.ConsumerSpec) *broker.Consumer {
	b.Helper()
	k, err := c.Consume(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	return k
}

// rounds bounds how many messages wait at a time, so that memory does not grow
// with the length of the benchmark.
const rounds = 1 << 14

// inRounds calls fn with numbers that add up to b.N.
func inRounds(b *testing.B, fn func(n int)) {
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= rounds {
		fn(min(left, rounds))
	}
}

// BenchmarkPublish is publishing with confirms. The queue is purged off the clock.
func BenchmarkPublish(b *testing.B) {
	for _, durable := range []bool{true, false} {
		for _, sessions := range []int{1, 4} {
			b.Run(fmt.Sprintf("durable=%v/sessions=%d", durable, sessions), func(b *testing.B) {
				w := benchWorld(b)
				m := sealed(b, w, durable)
				var clients []*Client
				var queues []*broker.Queue
				for i := range sessions {
					clients = append(clients, benchClient(b, w))
					spec := broker.QueueSpec{Name: fmt.Sprint("q", i), Durable: durable}
					queues = append(queues, w.Declare(nil, spec))
				}
				inRounds(b, func(n int) {
					var work sync.WaitGroup
					for i, c := range clients {
						work.Go(func() { put(b, c, queues[i], m, n/sessions+1) })
					}
					work.Wait()
					b.StopTimer()
					for _, q := range queues {
						if _, err := w.Namespace.PurgeQueue(b.Context(), q); err != nil {
							b.Fatal(err)
						}
					}
					b.StartTimer()
				})
			})
		}
	}
}

// BenchmarkDeliver is the push of messages that are in memory, without opening or
// settling them.
func BenchmarkDeliver(b *testing.B) {
	for _, durable := range []bool{true, false} {
		b.Run(fmt.Sprint("durable=", durable), func(b *testing.B) {
			w := benchWorld(b)
			m := sealed(b, w, durable)
			p, c := benchClient(b, w), benchClient(b, w)
			q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: durable})
			refs := make([]broker.Settlement, 0, rounds)
			inRounds(b, func(n int) {
				b.StopTimer()
				put(b, p, q, m, n)
				b.StartTimer()
				k := benchConsumer(b, c, broker.ConsumerSpec{Queue: q, Credit: -1})
				take(c, n, func(list []broker.Event) bool {
					for i := range list {
						refs = append(refs, broker.Settlement{
							Ref: list[i].Delivery.Ref, Outcome: broker.Accept,
						})
					}
					return true
				})
				b.StopTimer()
				finish(b, c, k, refs)
				refs = refs[:0]
				b.StartTimer()
			})
		})
	}
}

// finish settles, ends the consumer and waits until all of it is done.
func finish(b *testing.B, c *Client, k *broker.Consumer, list []broker.Settlement) {
	c.Settle(list)
	if err := c.Cancel(b.Context(), k); err != nil {
		b.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSettle is accepting, and releasing, of what was delivered.
func BenchmarkSettle(b *testing.B) {
	for _, o := range []broker.Outcome{broker.Accept, broker.Release} {
		for _, batch := range []int{1, 100} {
			name := fmt.Sprintf("%s/batch=%d", map[broker.Outcome]string{
				broker.Accept: "accept", broker.Release: "release",
			}[o], batch)
			b.Run(name, func(b *testing.B) { benchSettle(b, o, batch) })
		}
	}
}

func benchSettle(b *testing.B, o broker.Outcome, batch int) {
	w := benchWorld(b)
	m := sealed(b, w, true)
	p, c := benchClient(b, w), benchClient(b, w)
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	list := make([]broker.Settlement, 0, rounds)
	inRounds(b, func(n int) {
		b.StopTimer()
		put(b, p, q, m, n)
		k := benchConsumer(b, c, broker.ConsumerSpec{Queue: q, Credit: -1})
		take(c, n, func(events []broker.Event) bool {
			for i := range events {
				list = append(list, broker.Settlement{Ref: events[i].Delivery.Ref, Outcome: o})
			}
			return true
		})
		if err := c.Cancel(b.Context(), k); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for at := 0; at < n; at += batch {
			c.Settle(list[at:min(at+batch, n)])
		}
		if err := c.Flush(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		list = list[:0]
		if _, err := w.Namespace.PurgeQueue(b.Context(), q); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	})
}

// BenchmarkGet is a get of one message at a time, which its caller waits for.
func BenchmarkGet(b *testing.B) {
	w := benchWorld(b)
	m := sealed(b, w, true)
	c := benchClient(b, w)
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	inRounds(b, func(n int) {
		b.StopTimer()
		put(b, c, q, m, n)
		b.StartTimer()
		for range n {
			d, _, ok, err := c.Get(b.Context(), q, false)
			if err != nil || !ok {
				b.Fatal("got nothing", err)
			}
			c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
		}
	})
}

// BenchmarkRefill is the push of messages that are in the store only, since the
// window holds few of them. The store is in memory.
func BenchmarkRefill(b *testing.B) {
	cfg := broker.Config{WindowBytes: 1 << 20}
	w := Start(b, benchEngine(b, "memory"), NewDomain(), cfg)
	m := sealed(b, w, true)
	p, c := w.Client(broker.SessionConfig{}), w.Client(broker.SessionConfig{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	var list []broker.Settlement
	inRounds(b, func(n int) {
		b.StopTimer()
		put(b, p, q, m, n)
		b.StartTimer()
		k := benchConsumer(b, c, broker.ConsumerSpec{Queue: q, Credit: -1})
		take(c, n, func(events []broker.Event) bool {
			for i := range events {
				list = append(list, broker.Settlement{
					Ref: events[i].Delivery.Ref, Outcome: broker.Accept,
				})
			}
			return true
		})
		b.StopTimer()
		finish(b, c, k, list)
		list = list[:0]
		b.StartTimer()
	})
	for _, c := range []*Client{p, c} {
		if err := c.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Stop(); err != nil {
		b.Fatal(err)
	}
}
