package management

import (
	"net/http"
	"strings"

	"coffer/internal/broker"
)

func whoami(c *call) error {
	return c.one(object{"name": c.user, "tags": c.tags})
}

// overview answers GET /api/overview.
func overview(c *call) error {
	o := object{
		"management_version": c.h.cfg.Version, "rabbitmq_version": c.h.cfg.Version,
		"product_name": c.h.cfg.Product, "product_version": c.h.cfg.Build,
		"rates_mode": "basic", "exchange_types": exchangeTypes(), "node": c.h.cfg.Node,
		"sample_retention_policies": object{
			"global": []int{600}, "basic": []int{600}, "detailed": []int{600},
		},
		"cluster_name": c.clusterName(), "cluster_tags": object{}, "node_tags": object{},
		"default_queue_type": "classic", "release_series_support_status": "supported",
		"disable_stats": false, "enable_queue_totals": false, "is_op_policy_updating_enabled": true,
		"statistics_db_event_queue": 0, "erlang_version": "", "erlang_full_version": "",
	}
	if c.has(tagAdministrator, tagMonitoring) {
		o["listeners"], o["contexts"] = c.listeners(), c.contexts()
	}
	c.totals(o)
	return c.one(o)
}

// totals adds what all that the user sees holds and counts.
func (c *call) totals(o object) {
	var list []*broker.Namespace
	addresses := 0
	for _, vhost := range c.vhosts() {
		if ns, ok := c.h.broker.Namespace(vhost); ok {
			list = append(list, ns)
			addresses += len(exchanges(ns))
		}
	}
	depths := object{}
	queues, consumers := c.depths(depths, "overview", list...)
	o["queue_totals"] = depths
	connections := c.connections()
	channels := 0
	for i := range connections {
		channels += len(connections[i].Channels)
	}
	o["object_totals"] = object{
		"channels": channels, "connections": len(connections), "consumers": consumers,
		"exchanges": addresses, "queues": queues,
	}
	t := c.h.living.Totals()
	o["message_stats"] = c.stats("overview", t.Messages)
	o["churn_rates"] = c.count(object{}, "churn", c.churn(list, &t)...)
}

// churn counts what came and went.
func (c *call) churn(list []*broker.Namespace, t *Totals) []count {
	var created, deleted int64
	for _, ns := range list {
		s := ns.Stats()
		created, deleted = created+s.QueuesCreated, deleted+s.QueuesDeleted
	}
	return []count{
		{"connection_created", int64(t.ConnectionsOpened)},
		{"connection_closed", int64(t.ConnectionsClosed)},
		{"channel_created", int64(t.ChannelsOpened)},
		{"channel_closed", int64(t.ChannelsClosed)},
		{"queue_declared", int64(t.QueuesDeclared)}, {"queue_created", created},
		{"queue_deleted", deleted},
	}
}

func (c *call) listeners() []object {
	list := []object{}
	for _, l := range c.h.doors.Listeners() {
		list = append(list, object{
			"node": c.h.cfg.Node, "protocol": l.Protocol, "ip_address": l.Address,
			"port": l.Port, "tls": l.TLS, "socket_opts": object{},
		})
	}
	return list
}

// contexts are the web listeners.
func (c *call) contexts() []object {
	list := []object{}
	for _, l := range c.h.doors.Listeners() {
		if !strings.HasPrefix(l.Protocol, "http") {
			continue
		}
		list = append(list, object{
			"node": c.h.cfg.Node, "description": "RabbitMQ Management", "path": "/",
			"ip": l.Address, "port": l.Port, "ssl": l.TLS, "ssl_opts": []any{},
			"cowboy_opts": "[]", "protocol": l.Protocol,
		})
	}
	return list
}

func extensions(c *call) error {
	return c.answer.json(http.StatusOK, []object{})
}
