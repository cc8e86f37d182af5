package scale

import (
	"fmt"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/broker/brokertest"
	"coffer/internal/seal"
	"coffer/internal/store/embedded"
)

// probes is how many queues are under load beside the one that expires.
const probes = 4

// TestExpiry lets all messages of a long queue expire at once, dropped and as dead
// letters, and measures what the other queues of the shard notice.
func TestExpiry(t *testing.T) {
	table(t, "what expires at once", "in", "others", "messages", "p50", "p99", "p99.9", "worst",
		"syncs", "their p50", "p99", "worst")
	before := 500 * time.Millisecond
	if amounts.measured {
		before = 5 * time.Second
	}
	for _, dead := range []bool{false, true} {
		t.Run(fmt.Sprint("dead letters=", dead), func(t *testing.T) { expire(t, before, dead) })
	}
}

func expire(t *testing.T, before time.Duration, dead bool) {
	var x expiry
	e, err := embedded.Open(embedded.Config{Dir: t.TempDir(), Shards: 3, Synced: x.synced})
	check(t, err)
	t.Cleanup(func() { check(t, e.Close()) })
	w := brokertest.Start(t, e, brokertest.NewDomain(), broker.Config{})
	x.namespace = w.Namespace
	x.full = w.Declare(nil, broker.QueueSpec{Name: "full", Durable: true})
	letters := w.Declare(nil, broker.QueueSpec{Name: "letters", Durable: true})
	for i := range probes {
		q := w.Declare(nil, broker.QueueSpec{Name: fmt.Sprint("probe-", i), Durable: true})
		x.probes = append(x.probes, &probe{namespace: w.Namespace, queue: q})
	}
	n := amounts.expiring
	pack(t, w, x.full, n)

	limits := broker.Limits{Retention: broker.AtMost(1)}
	what := fmt.Sprint(n, " messages, dropped")
	if dead {
		limits.Dead = broker.DeadLetter{Set: true, Key: letters.Spec().Name, OwnKey: true}
		what = fmt.Sprint(n, " messages, dead letters")
	}
	took, err := x.measure(t.Context(), before, limits, func() bool {
		ready, _, _ := x.full.Counts()
		buried, _, _ := letters.Counts()
		return ready == 0 && (!dead || buried == int64(n))
	})
	check(t, err)
	for phase, when := range []string{"before", "while they expire"} {
		list, disk := x.latencies(phase)
		cells := []string{what, fmt.Sprintf("%.1f s", took.Seconds()), when, fmt.Sprint(len(list))}
		cells = append(cells, quantiles(list, .5, .99, .999, 1)...)
		cells = append(cells, fmt.Sprint(len(disk)))
		cells = append(cells, quantiles(disk, .5, .99, 1)...)
		row(t, cells...)
	}
	if buried, _, _ := letters.Counts(); !dead && buried != 0 {
		t.Errorf("%d dead letters of messages that were to be dropped", buried)
	}
	check(t, w.Stop())
}

// quantiles of a sorted list, as cells.
func quantiles(list []time.Duration, of ...float64) (cells []string) {
	for _, q := range of {
		cells = append(cells, fmt.Sprintf("%.1f ms", quantile(list, q).Seconds()*1000))
	}
	return cells
}

// pack puts n durable messages into q.
func pack(t *testing.T, w *brokertest.World, q *broker.Queue, n int) {
	t.Helper()
	s := w.Namespace.NewSession(broker.SessionConfig{})
	body := make([]byte, bodySize)
	targets := []*broker.Queue{q}
	for left := n; left > 0; {
		var pubs []broker.Publishing
		for range min(left, 100) {
			m, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
			check(t, err)
			m.Durable, m.Key = true, q.Spec().Name
			pubs = append(pubs, broker.Publishing{Message: m, Targets: targets})
		}
		check(t, s.Publish(t.Context(), pubs))
		left -= len(pubs)
	}
	check(t, s.Close(t.Context()))
	if ready, _, _ := q.Counts(); ready != int64(n) {
		t.Fatalf("%d messages are in the queue, want %d", ready, n)
	}
}
