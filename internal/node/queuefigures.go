package node

import (
	"coffer/internal/service/sqs"
	"coffer/internal/telemetry"
)

// observeQueues shows what CloudWatch shows of the queues of SQS.
func (n *Node) observeQueues() {
	type figures = []sqs.Figure
	metric := func(name, help string, of func(f *sqs.Figure) float64) telemetry.Sampled[figures] {
		return telemetry.Sampled[figures]{
			Name: name, Help: help, Labels: []string{"account", "region", "queue"},
			Each: func(list figures, show func(float64, ...string)) {
				for i := range list {
					f := &list[i]
					show(of(f), f.Account, f.Region, f.Queue)
				}
			},
		}
	}
	telemetry.Sample(n.metrics, n.sqs.Figures,
		metric("coffer_sqs_messages_visible", "Messages of an SQS queue that wait.",
			func(f *sqs.Figure) float64 { return float64(f.Visible) }),
		metric("coffer_sqs_messages_not_visible",
			"Messages of an SQS queue that were received and not deleted yet.",
			func(f *sqs.Figure) float64 { return float64(f.NotVisible) }),
		metric("coffer_sqs_messages_delayed", "Messages of an SQS queue that are delayed.",
			func(f *sqs.Figure) float64 { return float64(f.Delayed) }),
		metric("coffer_sqs_oldest_message_age_seconds",
			"For how long the first message of an SQS queue waits.",
			func(f *sqs.Figure) float64 { return f.Oldest.Seconds() }),
		metric("coffer_sqs_messages_sent_total", "Messages sent to an SQS queue.",
			func(f *sqs.Figure) float64 { return float64(f.Sent) }),
		metric("coffer_sqs_messages_received_total", "Messages received from an SQS queue.",
			func(f *sqs.Figure) float64 { return float64(f.Received) }),
		metric("coffer_sqs_messages_deleted_total", "Messages deleted from an SQS queue.",
			func(f *sqs.Figure) float64 { return float64(f.Deleted) }),
		metric("coffer_sqs_empty_receives_total", "Receives of an SQS queue that gave nothing.",
			func(f *sqs.Figure) float64 { return float64(f.Empty) }),
	)
}
