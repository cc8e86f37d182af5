package brokertest

import (
	"slices"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/seal"
)

// BenchmarkExpireMillion lets a million messages expire at once and measures how
// long a publisher at another queue of the shard waits for its confirms meanwhile,
// and before (issue 3, done-when 5). Once is enough: -benchtime 1x.
func BenchmarkExpireMillion(b *testing.B) {
	for _, dead := range []bool{false, true} {
		name := map[bool]string{false: "dropped", true: "dead-lettered"}[dead]
		b.Run(name, func(b *testing.B) {
			for range b.N {
				expireMany(b, 1_000_000, dead)
			}
		})
	}
}

func expireMany(b *testing.B, count int, dead bool) {
	clock := NewClock()
	w := Start(b, benchEngine(b, "embedded"), NewDomain(), clock.Use(broker.Config{}))
	w.Declare(nil, broker.QueueSpec{Name: "d", Durable: true})
	limits := broker.Limits{Expiry: broker.AtMost(1000)}
	if dead {
		limits.Dead = broker.DeadLetter{Set: true, OwnKey: true, Key: "d"}
	}
	many := w.Declare(nil, broker.QueueSpec{Name: "many", Durable: true, Limits: limits})
	other := w.Declare(nil, broker.QueueSpec{Name: "other", Durable: true})
	c := w.Client(broker.SessionConfig{})
	for range count / 1000 {
		pour(b, w, c, many, 1000)
	}
	var before []time.Duration
	for range 2000 {
		before = append(before, pour(b, w, c, other, 1))
	}
	clock.Advance(time.Second)
	start := time.Now()
	var during []time.Duration
	for ready := int64(1); ready > 0; ready, _, _ = many.Counts() {
		during = append(during, pour(b, w, c, other, 1))
	}
	b.ReportMetric(time.Since(start).Seconds(), "s/expiry")
	b.ReportMetric(float64(len(during)), "publishes")
	for _, x := range []struct {
		list []time.Duration
		name string
	}{{before, "p99-before-ms"}, {during, "p99-during-ms"}} {
		slices.Sort(x.list)
		p99 := x.list[len(x.list)*99/100]
		b.ReportMetric(p99.Seconds()*1000, x.name)
	}
	b.ReportMetric(during[len(during)-1].Seconds()*1000, "max-during-ms")
	if err := c.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		b.Fatal(err)
	}
}

// pour publishes small messages at once and gives the time until the last is
// confirmed.
func pour(b *testing.B, w *World, c *Client, q *broker.Queue, count int) time.Duration {
	pubs := make([]broker.Publishing, count)
	for i := range pubs {
		m, err := w.Namespace.Seal(nil, broker.Content{Body: make([]byte, 100)}, seal.Facts{})
		if err != nil {
			b.Fatal(err)
		}
		m.Durable, m.Key = true, "key"
		pubs[i] = broker.Publishing{
			Message: m, Targets: []*broker.Queue{q}, Confirm: i == count-1,
		}
	}
	start := time.Now()
	if err := c.Publish(b.Context(), pubs); err != nil {
		b.Fatal(err)
	}
	if e, err := c.Wait(broker.Published); err != nil || e.Err != nil {
		b.Fatal(err, e.Err)
	}
	return time.Since(start)
}
