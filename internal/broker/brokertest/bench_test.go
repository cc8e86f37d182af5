package brokertest

import (
	"fmt"
	"sync"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
)

// BenchmarkPublishConsume moves messages of 1 KiB from publishers that wait for
// confirms to consumers that open and accept, everything in one process.
func BenchmarkPublishConsume(b *testing.B) {
	for _, engine := range []string{"embedded", "memory"} {
		for _, durable := range []bool{true, false} {
			for _, pairs := range []int{1, 4} {
				name := fmt.Sprintf("%s/durable=%v/pairs=%d", engine, durable, pairs)
				b.Run(name, func(b *testing.B) { publishConsume(b, engine, durable, pairs) })
			}
		}
	}
}

func benchEngine(b *testing.B, name string) store.Engine {
	if name == "memory" {
		return memory.New(memory.Config{Shards: 3})
	}
	e, err := embedded.Open(embedded.Config{Dir: b.TempDir(), Shards: 3})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

func publishConsume(b *testing.B, engine string, durable bool, pairs int) {
	w := Start(b, benchEngine(b, engine), NewDomain(), broker.Config{})
	each := b.N/pairs + 1
	b.SetBytes(1 << 10)
	b.ReportAllocs()
	b.ResetTimer()
	var work sync.WaitGroup
	for i := range pairs {
		spec := broker.QueueSpec{Name: fmt.Sprint("q", i), Durable: durable}
		q := w.Declare(nil, spec)
		work.Go(func() { benchConsume(b, w, q, each) })
		work.Go(func() { benchPublish(b, w, q, durable, each) })
	}
	work.Wait()
	b.ReportMetric(float64(each*pairs)/b.Elapsed().Seconds(), "msgs/s")
	b.StopTimer()
	if err := w.Stop(); err != nil {
		b.Fatal(err)
	}
}

func benchPublish(b *testing.B, w *World, q *broker.Queue, durable bool, n int) {
	c := w.Client(broker.SessionConfig{})
	body := make([]byte, 1<<10)
	pubs := make([]broker.Publishing, 0, 32)
	targets := []*broker.Queue{q}
	events := make([]broker.Event, 0, 256)
	for sent, confirmed := 0, 0; confirmed < n; {
		pubs = pubs[:0]
		for sent < n && len(pubs) < cap(pubs) {
			m, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
			if err != nil {
				b.Error(err)
				return
			}
			m.Durable, m.Key = durable, "key"
			sent++
			pubs = append(pubs, broker.Publishing{
				Message: m, Targets: targets, Tag: uint64(sent), Confirm: true,
			})
		}
		if err := c.Publish(b.Context(), pubs); err != nil {
			b.Error(err)
			return
		}
		events = c.Next(events[:0])
		if len(events) == 0 && sent == n {
			<-c.wake
		}
		confirmed += len(events)
	}
	if err := c.Close(b.Context()); err != nil {
		b.Error(err)
	}
}

func benchConsume(b *testing.B, w *World, q *broker.Queue, n int) {
	c := w.Client(broker.SessionConfig{})
	_, err := c.Consume(b.Context(), broker.ConsumerSpec{Queue: q, Credit: -1})
	if err != nil {
		b.Error(err)
		return
	}
	events := make([]broker.Event, 0, 256)
	var settles []broker.Settlement
	plain := make([]byte, 0, 2<<10)
	for got := 0; got < n; {
		events = c.Next(events[:0])
		if len(events) == 0 {
			<-c.wake
			continue
		}
		settles = settles[:0]
		for i := range events {
			d := &events[i].Delivery
			if _, err := w.Namespace.OpenDelivery(plain, d); err != nil {
				b.Error(err)
				return
			}
			settles = append(settles, broker.Settlement{Ref: d.Ref, Outcome: broker.Accept})
		}
		got += len(events)
		c.Settle(settles)
	}
	if err := c.Close(b.Context()); err != nil {
		b.Error(err)
	}
}
