package brokertest

import (
	"runtime"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/seal"
	"coffer/internal/store/embedded"
)

// BenchmarkFanOut publishes 64 KiB to 100 durable queues, waits for the confirm,
// and takes all copies away again.
func BenchmarkFanOut(b *testing.B) {
	const queues, size = 100, 64 << 10
	w := Start(b, benchEngine(b, "embedded"), NewDomain(), broker.Config{})
	declareBound(b, w, queues)
	p, c := w.Client(broker.SessionConfig{}), w.Client(broker.SessionConfig{})
	w.Namespace.Topology().Queues(func(q *broker.Queue) bool {
		if _, err := c.Consume(b.Context(), broker.ConsumerSpec{Queue: q, Credit: -1}); err != nil {
			b.Fatal(err)
		}
		return true
	})
	body := Big("x", size)
	b.SetBytes(queues * size)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Send("all", "", true, body); err != nil {
			b.Fatal(err)
		}
		settles := make([]broker.Settlement, queues)
		for i := range settles {
			ev, err := c.Wait(broker.Delivered)
			if err != nil {
				b.Fatal(err)
			}
			settles[i] = broker.Settlement{Ref: ev.Delivery.Ref, Outcome: broker.Accept}
		}
		c.Settle(settles)
	}
	b.ReportMetric(float64(w.Core.Stats().BatchBytes)/float64(b.N), "stored-B/op")
	stopBench(b, w, p, c)
}

// BenchmarkLargeMessages queues 100 messages of 16 MiB, and drains them. It tells
// the largest heap on the way.
func BenchmarkLargeMessages(b *testing.B) {
	const count, size = 100, 16<<20 - 1<<10
	e, err := embedded.Open(embedded.Config{Dir: b.TempDir(), Shards: 3})
	if err != nil {
		b.Fatal(err)
	}
	w := Start(b, e, NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	body, dst := make([]byte, size), make([]byte, 0, 16<<20)
	var heap uint64
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = max(heap, m.HeapInuse)
	}
	b.SetBytes(count * size)
	for b.Loop() {
		p := w.Client(broker.SessionConfig{})
		for range count {
			m, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
			if err != nil {
				b.Fatal(err)
			}
			m.Durable = true
			pub := broker.Publishing{Message: m, Targets: []*broker.Queue{q}, Confirm: true}
			if err := p.Publish(b.Context(), []broker.Publishing{pub}); err != nil {
				b.Fatal(err)
			}
			look()
		}
		for range count {
			d, _, ok, err := p.Get(b.Context(), q, true)
			if err != nil || !ok {
				b.Fatal(ok, err)
			}
			if _, err := w.Namespace.OpenDelivery(dst, &d); err != nil {
				b.Fatal(err)
			}
			look()
		}
		if err := p.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap)/(1<<20), "heap-MiB")
	stopBench(b, w)
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

func stopBench(b *testing.B, w *World, clients ...*Client) {
	b.Helper()
	b.StopTimer()
	for _, c := range clients {
		if err := c.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Stop(); err != nil {
		b.Fatal(err)
	}
}
