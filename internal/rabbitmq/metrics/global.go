package metrics

import (
	"strings"

	"coffer/internal/broker"
)

// RabbitMQ's words for the types of queues.
const (
	classic = "rabbit_classic_queue"
	quorum  = "rabbit_quorum_queue"
)

// queueTypes is indexed by whether a queue keeps all.
func queueTypes() [2]string { return [2]string{classic, quorum} }

// global adds the counters of the whole broker, which never go down.
func (s *scene) global(t *text, e *strings.Replacer) {
	s.globalByProtocol(t, e)
	s.globalByQueue(t, e)
	s.globalDead(t, e)
}

// globalByProtocol adds what publishers did.
func (s *scene) globalByProtocol(t *text, e *strings.Replacer) {
	for _, m := range []struct {
		name, help string
		kind       kind
		of         func(*Protocol) float64
	}{
		{"messages_received_total", "Messages from publishers.", counter,
			func(p *Protocol) float64 { return float64(p.Counts.Publish) }},
		{"messages_received_confirm_total", "Messages from publishers who want confirms.", counter,
			func(p *Protocol) float64 { return float64(p.PublishConfirm) }},
		{"messages_confirmed_total", "Messages confirmed to publishers.", counter,
			func(p *Protocol) float64 { return float64(p.Counts.Confirm) }},
		{"messages_unroutable_dropped_total", "Messages dropped that no queue wanted.", counter,
			func(p *Protocol) float64 { return float64(p.Counts.DropUnroutable) }},
		{"messages_unroutable_returned_total", "Messages returned that no queue wanted.", counter,
			func(p *Protocol) float64 { return float64(p.Counts.ReturnUnroutable) }},
		{"publishers", "Channels that have published.", gauge,
			func(p *Protocol) float64 { return float64(s.publishers[p.Name]) }},
		{"consumers", "Consumers.", gauge,
			func(p *Protocol) float64 { return float64(s.consumers[p.Name]) }},
	} {
		name := "rabbitmq_global_" + m.name
		t.begin(name, m.kind, m.help)
		for i := range s.protocols {
			p := &s.protocols[i]
			t.sample(name, pairs(e, "protocol", p.Name), m.of(p))
		}
	}
	routed := s.sums.Sums[0].Published + s.sums.Sums[1].Published
	t.single("rabbitmq_global_messages_routed_total", counter,
		"Messages that came to queues, each queue counting.",
		pairs(e, "protocol", mainProtocol), float64(routed))
}

// mainProtocol is what deliveries are counted under: queues do not know by which
// protocol they deliver.
const mainProtocol = "amqp091"

// globalByQueue adds what consumers did.
func (s *scene) globalByQueue(t *text, e *strings.Replacer) {
	for _, m := range []struct {
		name, help string
		of         func(*broker.QueueStats) int64
	}{
		{"acknowledged", "Deliveries that were acknowledged.",
			func(q *broker.QueueStats) int64 { return q.Accepted }},
		{"delivered", "Messages given to consumers and to who asked for one.",
			func(q *broker.QueueStats) int64 {
				return q.Delivered + q.DeliveredAuto + q.Got + q.GotAuto
			}},
		{"delivered_consume_manual_ack", "Messages delivered that are to be acknowledged.",
			func(q *broker.QueueStats) int64 { return q.Delivered }},
		{"delivered_consume_auto_ack", "Messages delivered that need no acknowledgement.",
			func(q *broker.QueueStats) int64 { return q.DeliveredAuto }},
		{"delivered_get_manual_ack", "Messages got that are to be acknowledged.",
			func(q *broker.QueueStats) int64 { return q.Got }},
		{"delivered_get_auto_ack", "Messages got that need no acknowledgement.",
			func(q *broker.QueueStats) int64 { return q.GotAuto }},
		{"get_empty", "Calls of basic.get that found nothing.",
			func(q *broker.QueueStats) int64 { return q.Empty }},
		{"redelivered", "Deliveries that were marked as redelivered.",
			func(q *broker.QueueStats) int64 { return q.Redelivered }},
	} {
		name := "rabbitmq_global_messages_" + m.name + "_total"
		t.begin(name, counter, m.help)
		for i, kind := range queueTypes() {
			t.sample(name, pairs(e, "protocol", mainProtocol, "queue_type", kind),
				float64(m.of(&s.sums.Sums[i])))
		}
	}
}

// globalDead adds what became of messages that died. Where they go is durable, so
// nothing is at most once; RabbitMQ's words for quorum and classic queues are kept, for
// dashboards know them.
func (s *scene) globalDead(t *text, e *strings.Replacer) {
	strategies := [2]string{"disabled", "at_most_once"}
	for _, m := range []struct {
		name, help string
		why        broker.Reason
	}{
		{"rejected", "Messages that consumers rejected.", broker.Rejected},
		{"expired", "Messages whose time was over.", broker.Expired},
		{"maxlen", "Messages that were too many for their queue.", broker.TooMany},
		{"delivery_limit", "Messages that came back too often.", broker.DeliveryLimit},
	} {
		name := "rabbitmq_global_messages_dead_lettered_" + m.name + "_total"
		t.begin(name, counter, m.help)
		for i, kind := range queueTypes() {
			if kind == classic && m.why == broker.DeliveryLimit {
				continue // as in RabbitMQ
			}
			for j, strategy := range strategies {
				t.sample(name, pairs(e, "queue_type", kind, "dead_letter_strategy", strategy),
					float64(s.sums.Died[m.why][j][i]))
			}
		}
	}
}
