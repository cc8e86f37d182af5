package metrics

// channelRow is one channel as of the request.
type channelRow struct {
	labels string
	Channel
}

func channelFamilies() []family[channelRow] {
	return []family[channelRow]{
		{name: "channel_metrics", metrics: []metric[channelRow]{
			{"channel_consumers", gauge, "Consumers of a channel.",
				func(c *channelRow) float64 { return float64(c.Consumers) }},
			{"channel_messages_unacked", gauge, "Deliveries that are not acknowledged yet.",
				func(c *channelRow) float64 { return float64(c.Unacked) }},
			{"channel_messages_unconfirmed", gauge, "Publishes that are not confirmed yet.",
				func(c *channelRow) float64 { return float64(c.Unconfirmed) }},
			{"channel_messages_uncommitted", gauge,
				"Publishes that wait for a commit.",
				func(c *channelRow) float64 { return float64(c.Uncommitted) }},
			{"channel_acks_uncommitted", gauge,
				"Acknowledgements that wait for a commit.",
				func(c *channelRow) float64 { return float64(c.AcksUncommitted) }},
			{"consumer_prefetch", gauge, "Bound of unacknowledged messages of each consumer.",
				func(c *channelRow) float64 { return float64(c.Prefetch) }},
			{"channel_prefetch", gauge,
				"Bound of unacknowledged messages of all consumers together.",
				func(c *channelRow) float64 { return float64(c.GlobalPrefetch) }},
		}},
		{name: "channel_exchange_metrics", metrics: []metric[channelRow]{
			{"channel_messages_published_total", counter,
				"Messages published.",
				func(c *channelRow) float64 { return float64(c.Counts.Publish) }},
			{"channel_messages_confirmed_total", counter,
				"Messages confirmed.",
				func(c *channelRow) float64 { return float64(c.Counts.Confirm) }},
			{"channel_messages_unroutable_returned_total", counter,
				"Messages returned because no queue wanted them.",
				func(c *channelRow) float64 { return float64(c.Counts.ReturnUnroutable) }},
			{"channel_messages_unroutable_dropped_total", counter,
				"Messages dropped because no queue wanted them.",
				func(c *channelRow) float64 { return float64(c.Counts.DropUnroutable) }},
		}},
		{name: "channel_queue_metrics", metrics: channelDeliveries()},
	}
}

func channelDeliveries() []metric[channelRow] {
	return []metric[channelRow]{
		{"channel_get_ack_total", counter,
			"Messages got that are to be acknowledged.",
			func(c *channelRow) float64 { return float64(c.Counts.Get) }},
		{"channel_get_total", counter,
			"Messages got that need no acknowledgement.",
			func(c *channelRow) float64 { return float64(c.Counts.GetNoAck) }},
		{"channel_messages_delivered_ack_total", counter,
			"Messages delivered that are to be acknowledged.",
			func(c *channelRow) float64 { return float64(c.Counts.Deliver) }},
		{"channel_messages_delivered_total", counter,
			"Messages delivered that need no acknowledgement.",
			func(c *channelRow) float64 { return float64(c.Counts.DeliverNoAck) }},
		{"channel_messages_redelivered_total", counter,
			"Deliveries that were marked as redelivered.",
			func(c *channelRow) float64 { return float64(c.Counts.Redeliver) }},
		{"channel_messages_acked_total", counter,
			"Deliveries that were acknowledged.",
			func(c *channelRow) float64 { return float64(c.Counts.Ack) }},
		{"channel_get_empty_total", counter,
			"Calls of basic.get that found nothing.",
			func(c *channelRow) float64 { return float64(c.Counts.GetEmpty) }},
	}
}

// connectionRow is one connection as of the request.
type connectionRow struct {
	labels string
	Connection
}

func connectionFamilies() []family[connectionRow] {
	return []family[connectionRow]{
		{name: "connection_coarse_metrics", metrics: []metric[connectionRow]{
			{"connection_incoming_bytes_total", counter,
				"Bytes received.",
				func(c *connectionRow) float64 { return float64(c.ReceivedBytes) }},
			{"connection_outgoing_bytes_total", counter,
				"Bytes sent.",
				func(c *connectionRow) float64 { return float64(c.SentBytes) }},
		}},
		{name: "connection_metrics", metrics: []metric[connectionRow]{
			{"connection_incoming_packets_total", counter,
				"Reads of the socket.",
				func(c *connectionRow) float64 { return float64(c.ReceivedPackets) }},
			{"connection_outgoing_packets_total", counter,
				"Writes to the socket.",
				func(c *connectionRow) float64 { return float64(c.SentPackets) }},
			{"connection_pending_packets", gauge,
				"Writes that wait.",
				func(c *connectionRow) float64 {
					if c.PendingBytes > 0 {
						return 1 // what waits is written at once
					}
					return 0
				}},
			{"connection_channels", gauge, "Channels of a connection.",
				func(c *connectionRow) float64 { return float64(len(c.Channels)) }},
		}},
	}
}
