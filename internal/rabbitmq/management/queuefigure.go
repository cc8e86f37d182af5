package management

import (
	"coffer/internal/broker"
)

// queueFigures adds to a queue what it counts and holds, and which policies it follows.
func (c *call) queueFigures(o object, vhost string, q *broker.Queue, kind string) {
	s, name := q.Stats(), q.Spec().Name
	key := "queue " + vhost + "\x00" + name
	c.count(o, key, count{"messages", s.Ready + s.Unacked}, count{"messages_ready", s.Ready},
		count{"messages_unacknowledged", s.Unacked})
	o["consumers"], o["memory"] = s.Consumers, s.Memory
	o["message_bytes"], o["message_bytes_ready"] = s.Bytes, s.ReadyBytes
	o["message_bytes_unacknowledged"] = s.Bytes - s.ReadyBytes
	o["messages_persistent"], o["message_bytes_persistent"] = s.Durable, s.DurableBytes
	o["messages_ram"], o["messages_ready_ram"] = s.Ready+s.Unacked, s.Ready
	o["messages_unacknowledged_ram"], o["message_bytes_ram"] = s.Unacked, s.Bytes
	o["messages_paged_out"], o["message_bytes_paged_out"] = 0, 0
	o["consumer_capacity"] = c.capacity(key, &s)
	o["consumer_utilisation"] = o["consumer_capacity"]
	o["head_message_timestamp"], o["recoverable_slaves"] = nil, nil
	if !s.ChangedAt.IsZero() {
		o["idle_since"] = s.ChangedAt.UTC().Format(idle)
	}
	m := queueCounts(&s)
	o["message_stats"] = c.count(object{}, key, append(delivered(&m),
		count{"publish", int64(m.Publish)})...)
	if kind == "quorum" {
		node := c.h.cfg.Node
		o["leader"], o["members"], o["online"] = node, []string{node}, []string{node}
		o["delivery_limit"] = q.Limits().Deliveries.N
	} else {
		o["storage_version"] = 2
	}
	c.queuePolicies(o, vhost, name, kind)
	c.queueClients(o, vhost, q)
}

// capacity is for which part of the time since the last look the queue could deliver at
// once.
func (c *call) capacity(key string, s *broker.QueueStats) float64 {
	if s.Consumers == 0 {
		return 0
	}
	able := s.Able.Milliseconds()
	return max(0, min(1, c.rate(key, "able", able)/1000))
}

func queueCounts(s *broker.QueueStats) Counts {
	return Counts{
		Publish: uint64(s.Published), Deliver: uint64(s.Delivered),
		DeliverNoAck: uint64(s.DeliveredAuto), Get: uint64(s.Got), GetNoAck: uint64(s.GotAuto),
		GetEmpty: uint64(s.Empty), Redeliver: uint64(s.Redelivered), Ack: uint64(s.Accepted),
	}
}

func (c *call) queuePolicies(o object, vhost, name, kind string) {
	policy, operator, definition := c.h.broker.Effective(vhost, kind, name)
	o["policy"], o["operator_policy"] = nil, nil
	if policy != nil {
		o["policy"] = policy.Name
	}
	if operator != nil {
		o["operator_policy"] = operator.Name
	}
	if definition == nil {
		definition = object{}
	}
	o["effective_policy_definition"] = definition
}

// queueClients adds to a queue which of its clients have it for themselves.
func (c *call) queueClients(o object, vhost string, q *broker.Queue) {
	w, spec := c.clients(), q.Spec()
	at := vhost + "\x00" + spec.Name
	o["exclusive_consumer_tag"], o["single_active_consumer_tag"] = nil, nil
	if tag, ok := w.exclusive[at]; ok {
		o["exclusive_consumer_tag"] = tag
	}
	if tag, ok := w.active[at]; ok && spec.SingleActive {
		o["single_active_consumer_tag"] = tag
	}
	if x := w.owners[q.Owner()]; spec.Exclusive && x != nil {
		o["owner_pid_details"] = object{
			"name": x.Name, "peer_host": x.Peer.Host, "peer_port": x.Peer.Port,
		}
	}
}

// clients are those who matter to queues, as of one moment of a call.
type clients struct {
	owners            map[*broker.Session]*Connection
	exclusive, active map[string]string // tags of consumers by queue
}

// clients looks at the connections, once.
func (c *call) clients() *clients {
	if c.known != nil {
		return c.known
	}
	c.known = &clients{map[*broker.Session]*Connection{}, map[string]string{}, map[string]string{}}
	for _, x := range c.h.connected() {
		c.known.owners[x.Session] = &x
		for i := range x.Channels {
			for _, k := range x.Channels[i].Consumers {
				at := x.Vhost + "\x00" + k.Queue
				if k.Exclusive {
					c.known.exclusive[at] = k.Tag
				}
				if k.Active {
					c.known.active[at] = k.Tag
				}
			}
		}
	}
	return c.known
}
