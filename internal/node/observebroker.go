package node

import (
	"coffer/internal/broker"
	"coffer/internal/keyring"
	"coffer/internal/service/mq"
	"coffer/internal/telemetry"
)

// observeMessages shows what the queue core counts.
func (n *Node) observeMessages() {
	type stats = broker.Stats
	metric := func(name, help string, of func(stats) int64) telemetry.Sampled[stats] {
		return integer(name, help, of)
	}
	telemetry.Sample(n.metrics, n.core.Stats,
		metric("coffer_messages_published_total", "Messages taken over from publishers.",
			func(s stats) int64 { return s.Published }),
		metric("coffer_messages_delivered_total", "Messages given to consumers.",
			func(s stats) int64 { return s.Delivered }),
		metric("coffer_messages_settled_total", "Deliveries that were accepted or rejected.",
			func(s stats) int64 { return s.Settled }),
		metric("coffer_messages_released_total", "Deliveries that went back to their queue.",
			func(s stats) int64 { return s.Released }),
		metric("coffer_messages_expired_total", "Messages removed because their time was over.",
			func(s stats) int64 { return s.Expired }),
		metric("coffer_messages_dropped_total", "Messages removed because a queue had too many.",
			func(s stats) int64 { return s.Dropped }),
		metric("coffer_messages_limited_total", "Messages removed that were released too often.",
			func(s stats) int64 { return s.Limited }),
		metric("coffer_messages_refused_total", "Messages that a full queue did not take.",
			func(s stats) int64 { return s.Refused }),
		metric("coffer_messages_dead_lettered_total", "Messages sent to a dead letter exchange.",
			func(s stats) int64 { return s.DeadLettered }),
		metric("coffer_messages_spilled_total", "Transient messages written for want of memory.",
			func(s stats) int64 { return s.Spilled }),
		metric("coffer_queue_batches_total", "Durable batches of the queue shards.",
			func(s stats) int64 { return s.Batches }),
		metric("coffer_queue_batch_bytes_total",
			"Bytes in the durable batches of the queue shards.",
			func(s stats) int64 { return s.BatchBytes }),
		metric("coffer_queue_pages_total", "Pages of messages read back from the store.",
			func(s stats) int64 { return s.Pages }),
		metric("coffer_messages_ready", "Messages that wait in queues.",
			func(s stats) int64 { return s.Ready }),
		metric("coffer_messages_unacked", "Messages in flight to consumers.",
			func(s stats) int64 { return s.Unacked }),
		metric("coffer_message_memory_bytes", "Memory that messages of queues take.",
			func(s stats) int64 { return s.Memory }),
		metric("coffer_queues", "Queues of all brokers.",
			func(s stats) int64 { return s.Queues }),
		metric("coffer_consumers", "Consumers of all queues.",
			func(s stats) int64 { return s.Consumers }),
		metric("coffer_queue_requests_waiting",
			"Requests of sessions that wait for the owners of the queue shards.",
			func(s stats) int64 { return s.Requests }),
		metric("coffer_messages_publishing", "Messages on their way to the store.",
			func(s stats) int64 { return s.Publishing }),
		metric("coffer_messages_publishing_bytes",
			"Bytes of the messages on their way to the store.",
			func(s stats) int64 { return s.Bytes }),
		metric("coffer_publishers_waiting",
			"Publishers that wait because too much is on its way to the store.",
			func(s stats) int64 { return s.Waiting }),
	)
}

// phases are the states of brokers, for labels.
var phases = []mq.Phase{mq.Starting, mq.Serving, mq.Locked, mq.Rebooting, mq.Failed}

// observeBrokers shows what state brokers and their domains are in.
func (n *Node) observeBrokers() {
	telemetry.Sample(n.metrics, n.fleet.phases,
		integer("coffer_brokers", "Brokers that exist.", func(m map[mq.Phase]int) (sum int) {
			for _, n := range m {
				sum += n
			}
			return sum
		}),
		integer("coffer_brokers_locked", "Brokers whose KMS key cannot be used.",
			func(m map[mq.Phase]int) int { return m[mq.Locked] }),
		telemetry.Sampled[map[mq.Phase]int]{Name: "coffer_broker_states",
			Help: "Brokers by their state, as Amazon MQ names it.", Labels: []string{"state"},
			Each: func(m map[mq.Phase]int, show func(float64, ...string)) {
				for _, p := range phases {
					show(float64(m[p]), p.String())
				}
			}},
	)
	telemetry.Sample(n.metrics, n.ring.Stats,
		integer("coffer_domains_open", "Data keys of brokers that are in memory.",
			func(s keyring.Stats) int { return s.Open }),
		telemetry.Sampled[keyring.Stats]{Name: "coffer_domains_locked",
			Help: "Data keys of brokers that cannot be had.", Labels: []string{"reason"},
			Each: func(s keyring.Stats, show func(float64, ...string)) {
				for class, n := range s.Locked {
					show(float64(n), class)
				}
			}},
	)
	telemetry.Sample(n.metrics, n.rabbit.Hasher().Derived,
		integer("coffer_password_hashes_total", "Passwords that were hashed, not remembered.",
			func(n int64) int64 { return n }))
}

// phases counts the brokers in each state.
func (f *fleet) phases() map[mq.Phase]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := map[mq.Phase]int{}
	for _, b := range f.brokers {
		m[f.state(b).Phase]++
	}
	return m
}
