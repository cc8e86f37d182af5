package metrics

import (
	"math"
	"strings"

	"coffer/internal/broker"
)

// queueRow is one queue as of the request.
type queueRow struct {
	labels   string
	kind     string // RabbitMQ's word
	capacity float64
	broker.QueueStats
}

func (q *queueRow) unackedBytes() int64 { return max(q.Bytes-q.ReadyBytes, 0) }

// queueFamilies are what RabbitMQ shows of queues.
func queueFamilies() []family[queueRow] {
	consumers := metric[queueRow]{"queue_consumers", gauge, "Consumers of a queue.",
		func(q *queueRow) float64 { return float64(q.Consumers) }}
	return []family[queueRow]{
		{name: "queue_coarse_metrics", metrics: []metric[queueRow]{
			{"queue_messages_ready", gauge, "Messages that wait.",
				func(q *queueRow) float64 { return float64(q.Ready) }},
			{"queue_messages_unacked", gauge,
				"Messages in flight.",
				func(q *queueRow) float64 { return float64(q.Unacked) }},
			{"queue_messages", gauge,
				"Messages that wait or are in flight.",
				func(q *queueRow) float64 { return float64(q.Ready + q.Unacked) }},
		}},
		{name: "queue_consumer_count", only: true, metrics: []metric[queueRow]{consumers}},
		{name: "queue_metrics", metrics: append([]metric[queueRow]{consumers}, queueLevels()...)},
		{name: "queue_delivery_metrics", only: true, metrics: queueDeliveries()},
	}
}

// queueLevels are what a queue holds, in RabbitMQ's order.
func queueLevels() []metric[queueRow] {
	return []metric[queueRow]{
		{"queue_consumer_capacity", gauge,
			"Part of the time in which a message could have been delivered at once.",
			func(q *queueRow) float64 { return q.capacity }},
		{"queue_consumer_utilisation", gauge, "The consumer capacity by its older name.",
			func(q *queueRow) float64 { return q.capacity }},
		{"queue_process_memory_bytes", gauge, "Bytes of memory that messages of a queue take.",
			func(q *queueRow) float64 { return float64(q.Memory) }},
		{"queue_messages_ram", gauge, "Messages that wait or are in flight, in memory.",
			func(q *queueRow) float64 { return float64(q.Ready - q.OnDisk + q.Unacked) }},
		{"queue_messages_ram_bytes", gauge,
			"Bytes of messages that wait or are in flight, in memory.",
			func(q *queueRow) float64 { return float64(q.Bytes - q.OnDiskBytes) }},
		{"queue_messages_ready_ram", gauge, "Messages that wait, in memory.",
			func(q *queueRow) float64 { return float64(q.Ready - q.OnDisk) }},
		{"queue_messages_unacked_ram", gauge, "Messages in flight, in memory.",
			func(q *queueRow) float64 { return float64(q.Unacked) }},
		{"queue_messages_persistent", gauge, "Messages that survive a restart.",
			func(q *queueRow) float64 { return float64(q.Durable) }},
		{"queue_messages_persistent_bytes", gauge, "Bytes of messages that survive a restart.",
			func(q *queueRow) float64 { return float64(q.DurableBytes) }},
		{"queue_messages_bytes", gauge,
			"Bytes of messages that wait or are in flight.",
			func(q *queueRow) float64 { return float64(q.Bytes) }},
		{"queue_messages_ready_bytes", gauge, "Bytes of messages that wait.",
			func(q *queueRow) float64 { return float64(q.ReadyBytes) }},
		{"queue_messages_unacked_bytes", gauge, "Bytes of messages in flight.",
			func(q *queueRow) float64 { return float64(q.unackedBytes()) }},
		{"queue_messages_paged_out", gauge, "Messages that are on disk only.",
			func(q *queueRow) float64 { return float64(q.OnDisk) }},
		{"queue_messages_paged_out_bytes", gauge, "Bytes of messages that are on disk only.",
			func(q *queueRow) float64 { return float64(q.OnDiskBytes) }},
		{"queue_head_message_timestamp", gauge, "When the first message came, since 1970.",
			func(q *queueRow) float64 {
				if q.HeadSince.IsZero() {
					return math.NaN()
				}
				return float64(q.HeadSince.Unix())
			}},
	}
}

// queueDeliveries are what a queue counts.
func queueDeliveries() []metric[queueRow] {
	return []metric[queueRow]{
		{"queue_get_ack_total", counter,
			"Messages got that are to be acknowledged.",
			func(q *queueRow) float64 { return float64(q.Got) }},
		{"queue_get_total", counter,
			"Messages got that need no acknowledgement.",
			func(q *queueRow) float64 { return float64(q.GotAuto) }},
		{"queue_messages_delivered_ack_total", counter,
			"Messages delivered that are to be acknowledged.",
			func(q *queueRow) float64 { return float64(q.Delivered) }},
		{"queue_messages_delivered_total", counter,
			"Messages delivered that need no acknowledgement.",
			func(q *queueRow) float64 { return float64(q.DeliveredAuto) }},
		{"queue_messages_redelivered_total", counter,
			"Deliveries that were marked as redelivered.",
			func(q *queueRow) float64 { return float64(q.Redelivered) }},
		{"queue_messages_acked_total", counter,
			"Deliveries that were acknowledged.",
			func(q *queueRow) float64 { return float64(q.Accepted) }},
		{"queue_get_empty_total", counter,
			"Calls of basic.get that found nothing.",
			func(q *queueRow) float64 { return float64(q.Empty) }},
	}
}

// published are the messages that came to queues. RabbitMQ shows them for each
// channel, exchange and queue.
func published() []family[queueRow] {
	return []family[queueRow]{
		{name: "channel_queue_exchange_metrics", metrics: []metric[queueRow]{
			{"queue_messages_published_total", counter,
				"Messages that were published to a queue.",
				func(q *queueRow) float64 { return float64(q.Published) }},
		}},
	}
}

// informs reports whether queueInfo goes with the families.
func (v *view) informs() bool {
	return v.families == nil || v.families["queue_coarse_metrics"] ||
		v.families["queue_consumer_count"] || v.families["queue_metrics"]
}

// queueInfo tells of each queue what it is, as RabbitMQ 4.1 does.
func queueInfo(t *text, v *view, rows []queueRow, e *strings.Replacer) {
	name := v.prefix + "queue_info"
	t.begin(name, gauge, "A metric with a constant '1' value and labels that provide "+
		"some queue details")
	for i := range rows {
		t.sample(name, rows[i].labels+","+pairs(e, "queue_type", rows[i].kind,
			"membership", "leader"), 1)
	}
}
