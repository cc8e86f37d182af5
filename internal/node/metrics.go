package node

import (
	"time"

	"coffer/internal/audit"
	"coffer/internal/broker"
	"coffer/internal/service/mq"
	"coffer/internal/telemetry"
)

// counts are the metrics of what no part of the process counts by itself.
type counts struct {
	fences telemetry.Histogram
	locked telemetry.Counter
	events telemetry.Counters
	syncs  telemetry.Histogram
}

func newCounts(r *telemetry.Registry) *counts {
	return &counts{
		fences: r.Histogram("coffer_fence_seconds",
			"Time until nobody used a data key under a KMS key that was taken away.", nil),
		locked: r.Counter("coffer_fenced_domains_total",
			"Data keys that fences took out of memory."),
		events: r.Counters("coffer_audit_events_total",
			"Events put on the audit trail.", "outcome"),
		syncs: r.Histogram("coffer_store_sync_seconds",
			"Time that the disk took to make a piece of the store's log durable.", nil),
	}
}

// fenced counts a fence that took keys of this many domains.
func (c *counts) fenced(domains int, took time.Duration) {
	c.fences.Observe(took.Seconds())
	c.locked.Add(domains)
}

// synced is the store's.
func (c *counts) synced(took time.Duration) { c.syncs.Observe(took.Seconds()) }

// recorded is [gateway.Events]'s.
func (c *counts) recorded(e *audit.Event) {
	outcome := "done"
	if e.ErrorCode != "" {
		outcome = "refused"
	}
	c.events.With(outcome).Inc()
}

// observe shows what the queue core and the brokers know when they are asked.
func (n *Node) observe() {
	n.observeStore()
	n.observeTrail()
	for _, m := range []struct {
		name, help string
		of         func(broker.Stats) int64
	}{
		{"coffer_messages_published_total", "Messages taken over from publishers.",
			func(s broker.Stats) int64 { return s.Published }},
		{"coffer_messages_unrouted_total", "Published messages that no queue was bound for.",
			func(s broker.Stats) int64 { return s.Unrouted }},
		{"coffer_messages_delivered_total", "Messages given to consumers.",
			func(s broker.Stats) int64 { return s.Delivered }},
		{"coffer_messages_settled_total", "Deliveries that were accepted or rejected.",
			func(s broker.Stats) int64 { return s.Settled }},
		{"coffer_messages_released_total", "Deliveries that went back to their queue.",
			func(s broker.Stats) int64 { return s.Released }},
		{"coffer_messages_spilled_total", "Transient messages written for want of memory.",
			func(s broker.Stats) int64 { return s.Spilled }},
		{"coffer_queue_batches_total", "Durable batches of the queue shards.",
			func(s broker.Stats) int64 { return s.Batches }},
		{"coffer_queue_batch_bytes_total", "Bytes in the durable batches of the queue shards.",
			func(s broker.Stats) int64 { return s.BatchBytes }},
		{"coffer_queue_pages_total", "Pages of messages read back from the store.",
			func(s broker.Stats) int64 { return s.Pages }},
	} {
		n.metrics.CounterFunc(m.name, m.help, n.statistic(m.of))
	}
	for _, m := range []struct {
		name, help string
		of         func(broker.Stats) int64
	}{
		{"coffer_messages_ready", "Messages that wait in queues.",
			func(s broker.Stats) int64 { return s.Ready }},
		{"coffer_messages_unacked", "Messages in flight to consumers.",
			func(s broker.Stats) int64 { return s.Unacked }},
		{"coffer_message_memory_bytes", "Memory that messages of queues take.",
			func(s broker.Stats) int64 { return s.Memory }},
	} {
		n.metrics.GaugeFunc(m.name, m.help, n.statistic(m.of))
	}
	n.metrics.GaugeFunc("coffer_store_damaged_files",
		"Damaged files of the store that were set aside in quarantine/.",
		func() float64 { return float64(len(n.engine.Damaged())) })
	n.metrics.GaugeFunc("coffer_brokers", "Brokers that exist.",
		func() float64 { return float64(n.fleet.count(func(mq.State) bool { return true })) })
	n.metrics.GaugeFunc("coffer_brokers_locked", "Brokers whose KMS key cannot be used.",
		func() float64 {
			return float64(n.fleet.count(func(s mq.State) bool { return s.Phase == mq.Locked }))
		})
}

// statistic asks the queue core for one of its numbers.
func (n *Node) statistic(of func(broker.Stats) int64) func() float64 {
	return func() float64 { return float64(of(n.core.Stats())) }
}

// count gives the number of brokers in some state.
func (f *fleet) count(in func(mq.State) bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, b := range f.brokers {
		if in(f.state(b)) {
			n++
		}
	}
	return n
}
