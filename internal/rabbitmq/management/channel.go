package management

import (
	"strconv"
)

// channelName is how RabbitMQ calls a channel.
func channelName(x *Connection, ch *Channel) string {
	return x.Name + " (" + strconv.Itoa(ch.Number) + ")"
}

// channelsOf lists the channels of some connections.
func (c *call) channelsOf(list []Connection) []object {
	all := []object{}
	for i := range list {
		for j := range list[i].Channels {
			all = append(all, c.shownChannel(&list[i], &list[i].Channels[j]))
		}
	}
	return all
}

func listChannels(c *call) error {
	return c.pages(c.channelsOf(c.connections()), "vhost", "name")
}

func listOwnChannels(c *call) error {
	x, err := c.connection()
	if err != nil {
		return err
	}
	return c.list(c.channelsOf([]Connection{*x}), "name")
}

func getChannel(c *call) error {
	for _, x := range c.h.connected() {
		for i := range x.Channels {
			if channelName(&x, &x.Channels[i]) != c.vars["channel"] {
				continue
			}
			if x.User != c.user && !c.has(tagAdministrator, tagMonitoring) {
				return notAuthorised("User not authorised to access object")
			}
			o := c.shownChannel(&x, &x.Channels[i])
			o["consumer_details"] = c.consumersOf(&x, &x.Channels[i])
			o["publishes"], o["deliveries"] = []object{}, []object{}
			return c.one(o)
		}
	}
	return missing()
}

// idle is how RabbitMQ writes times.
const idle = "2006-01-02T15:04:05.000-07:00"

// shownChannel gives the fields of a channel.
func (c *call) shownChannel(x *Connection, ch *Channel) object {
	o := object{
		"name": channelName(x, ch), "number": ch.Number, "user": x.User, "vhost": x.Vhost,
		"user_who_performed_action": x.User, "node": c.h.cfg.Node, "state": x.State,
		"connection_details": object{
			"name": x.Name, "peer_host": x.Peer.Host, "peer_port": x.Peer.Port,
		},
		"confirm": ch.Confirm, "transactional": ch.Transactional,
		"consumer_count": len(ch.Consumers), "prefetch_count": ch.Prefetch,
		"global_prefetch_count": ch.GlobalPrefetch, "messages_unacknowledged": ch.Unacked,
		"messages_unconfirmed": ch.Unconfirmed, "messages_uncommitted": ch.Uncommitted,
		"acks_uncommitted": ch.AcksUncommitted, "pending_raft_commands": 0,
		"message_stats": c.stats("channel "+channelName(x, ch), ch.Counts),
	}
	if !ch.IdleSince.IsZero() {
		o["idle_since"] = ch.IdleSince.UTC().Format(idle)
	}
	return o
}

// consumersOf lists the consumers of a channel.
func (c *call) consumersOf(x *Connection, ch *Channel) []object {
	list := []object{}
	for _, k := range ch.Consumers {
		arguments := k.Arguments
		if arguments == nil {
			arguments = object{}
		}
		list = append(list, object{
			"consumer_tag": k.Tag, "ack_required": k.AckRequired, "exclusive": k.Exclusive,
			"prefetch_count": k.Prefetch, "active": k.Active,
			"activity_status": k.ActivityStatus, "arguments": arguments,
			"queue": object{"name": k.Queue, "vhost": x.Vhost},
			"channel_details": object{
				"name": channelName(x, ch), "number": ch.Number, "user": x.User,
				"node": c.h.cfg.Node, "connection_name": x.Name, "peer_host": x.Peer.Host,
				"peer_port": x.Peer.Port,
			},
		})
	}
	return list
}

// listConsumers answers GET /api/consumers and /api/consumers/{vhost}, to whoever sees
// the virtual hosts, whose consumers they are.
func listConsumers(c *call) error {
	return c.list(c.consumers(func(*Connection, *Consumer) bool { return true }),
		"queue.vhost", "queue.name", "consumer_tag")
}

// consumers lists those in the virtual hosts that the user sees that fn keeps.
func (c *call) consumers(fn func(*Connection, *Consumer) bool) []object {
	seen := map[string]bool{}
	for _, v := range c.vhosts() {
		seen[v] = true
	}
	list := []object{}
	for _, x := range c.h.connected() {
		if !seen[x.Vhost] {
			continue
		}
		for i := range x.Channels {
			ch := x.Channels[i]
			kept := ch
			kept.Consumers = nil
			for _, k := range ch.Consumers {
				if fn(&x, &k) {
					kept.Consumers = append(kept.Consumers, k)
				}
			}
			list = append(list, c.consumersOf(&x, &kept)...)
		}
	}
	return list
}
