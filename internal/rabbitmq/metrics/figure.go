package metrics

import (
	"slices"

	"coffer/internal/broker"
)

// queueAble is the place of the time in which a queue can deliver.
const queueAble = 11

// Figures names the figures of a kind of object, in RabbitMQ's words where it has one.
// What is shared must not be changed.
func Figures(k Kind) []string {
	counts := []string{
		"publish", "confirm", "return_unroutable", "drop_unroutable", "deliver",
		"deliver_no_ack", "get", "get_no_ack", "get_empty", "redeliver", "ack",
		"deliver_get",
	}
	lengths := []string{"messages", "messages_ready", "messages_unacknowledged"}
	switch k {
	case WholeBroker:
		return append(append(counts, lengths...), "connection_created", "connection_closed",
			"channel_created", "channel_closed", "queue_declared", "queue_created",
			"queue_deleted")
	case OfQueue, OfVhost:
		return append([]string{"publish", "deliver", "deliver_no_ack", "get", "get_no_ack",
			"get_empty", "redeliver", "ack"}, append(lengths, "able", "deliver_get")...)
	case OfExchange:
		return []string{"publish_in", "publish_out"}
	case OfConnection:
		return []string{"recv_oct", "send_oct"}
	case OfChannel:
		return counts
	}
	return nil
}

func indexOf(k Kind, figure string) int { return slices.Index(Figures(k), figure) }

// figures are those of OfChannel.
func (c *Counts) figures() []int64 {
	return []int64{
		int64(c.Publish), int64(c.Confirm), int64(c.ReturnUnroutable), int64(c.DropUnroutable),
		int64(c.Deliver), int64(c.DeliverNoAck), int64(c.Get), int64(c.GetNoAck),
		int64(c.GetEmpty), int64(c.Redeliver), int64(c.Ack),
		int64(c.Deliver + c.DeliverNoAck + c.Get + c.GetNoAck),
	}
}

func queueFigures(q *broker.QueueStats) []int64 {
	return []int64{
		q.Published, q.Delivered, q.DeliveredAuto, q.Got, q.GotAuto, q.Empty, q.Redelivered,
		q.Accepted, q.Ready + q.Unacked, q.Ready, q.Unacked, q.Able.Milliseconds(),
		q.Delivered + q.DeliveredAuto + q.Got + q.GotAuto,
	}
}

// add sums up what protocols count.
func (p *Protocol) add(o *Protocol) {
	c, d := &p.Counts, &o.Counts
	c.Publish += d.Publish
	c.Confirm += d.Confirm
	c.ReturnUnroutable += d.ReturnUnroutable
	c.DropUnroutable += d.DropUnroutable
	c.Deliver += d.Deliver
	c.DeliverNoAck += d.DeliverNoAck
	c.Get += d.Get
	c.GetNoAck += d.GetNoAck
	c.GetEmpty += d.GetEmpty
	c.Redeliver += d.Redeliver
	c.Ack += d.Ack
	p.PublishConfirm += o.PublishConfirm
	p.ConnectionsOpened += o.ConnectionsOpened
	p.ConnectionsClosed += o.ConnectionsClosed
	p.ChannelsOpened += o.ChannelsOpened
	p.ChannelsClosed += o.ChannelsClosed
	p.QueuesDeclared += o.QueuesDeclared
	p.LoginsAccepted += o.LoginsAccepted
	p.LoginsRefused += o.LoginsRefused
}
