package management

import (
	"net/http"
	"strings"
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

// totals adds what all that the user sees holds.
func (c *call) totals(o object) {
	var ready, unacked, queues, consumers, addresses int64
	for _, vhost := range c.vhosts() {
		ns, ok := c.h.broker.Namespace(vhost)
		if !ok {
			continue
		}
		addresses += int64(len(exchanges(ns)))
		for q := range ns.Topology().Queues {
			r, u, n := q.Counts()
			ready, unacked, consumers = ready+r, unacked+u, consumers+int64(n)
			queues++
		}
	}
	o["queue_totals"] = object{
		"messages": ready + unacked, "messages_ready": ready, "messages_unacknowledged": unacked,
	}
	o["object_totals"] = object{
		"channels": 0, "connections": 0, "consumers": consumers, "exchanges": addresses,
		"queues": queues,
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
