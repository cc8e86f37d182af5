package management

import (
	"net/http"

	"coffer/internal/broker"
	"coffer/internal/rabbitmq"
)

func listVhosts(c *call) error {
	list := []object{}
	for _, v := range c.h.broker.Vhosts() {
		if c.sees(v.Name) {
			list = append(list, c.shownVhost(v))
		}
	}
	return c.pages(list, "name")
}

// undefined is how RabbitMQ writes that no queue type is the default.
const undefined = "undefined"

// shownVhost gives the fields of a virtual host.
func (c *call) shownVhost(v rabbitmq.Vhost) object {
	tags := v.Tags
	if tags == nil {
		tags = []string{}
	}
	kind := v.DefaultQueueType
	if kind == "" {
		kind = undefined
	}
	o := object{
		"name": v.Name, "description": v.Description, "tags": tags, "default_queue_type": kind,
		"metadata": object{"description": v.Description, "tags": tags},
		"tracing":  false, "protected_from_deletion": false,
		"cluster_state": object{c.h.cfg.Node: "running"},
	}
	if kind != undefined {
		o["metadata"].(object)["default_queue_type"] = kind
	}
	if c.query.Get("disable_stats") == "true" && c.query.Get("enable_queue_totals") != "true" {
		return o
	}
	if ns, ok := c.h.broker.Namespace(v.Name); ok {
		c.depths(o, "vhost "+v.Name, ns)
	}
	var counts Counts
	var in, out uint64
	for _, x := range c.h.connected() {
		if x.Vhost != v.Name {
			continue
		}
		in, out = in+x.ReceivedBytes, out+x.SentBytes
		counts.add(&x.Ended)
		for i := range x.Channels {
			counts.add(&x.Channels[i].Counts)
		}
	}
	c.count(o, "vhost "+v.Name, count{"recv_oct", int64(in)}, count{"send_oct", int64(out)})
	o["message_stats"] = c.stats("vhost "+v.Name, counts)
	return o
}

// depths adds how many messages queues hold together.
func (c *call) depths(o object, key string, list ...*broker.Namespace) (queues, consumers int64) {
	var ready, unacked int64
	for _, ns := range list {
		for q := range ns.Topology().Queues {
			r, u, n := q.Counts()
			ready, unacked, consumers = ready+r, unacked+u, consumers+int64(n)
			queues++
		}
	}
	c.count(o, key, count{"messages", ready + unacked}, count{"messages_ready", ready},
		count{"messages_unacknowledged", unacked})
	return queues, consumers
}

func getVhost(c *call) error {
	v, ok := c.h.broker.Vhost(c.vars["vhost"])
	if !ok {
		return missing()
	}
	return c.one(c.shownVhost(v))
}

func putVhost(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	name := c.vars["vhost"]
	v, _ := c.h.broker.Vhost(name)
	v.Name = name
	for key, to := range map[string]*string{
		"description": &v.Description, "default_queue_type": &v.DefaultQueueType,
	} {
		text, err := word(body, key)
		if err != nil {
			return err
		}
		if _, given := body[key]; given {
			*to = text
		}
	}
	if tags, given := body["tags"]; given {
		if v.Tags, err = tagList(tags); err != nil {
			return err
		}
	}
	if tracing, err := truth(body, "tracing"); err != nil {
		return err
	} else if tracing {
		return notBuilt("tracing")
	}
	created, err := c.h.broker.PutVhost(c.r.Context(), v)
	if err == nil && created { // who makes a virtual host may use it
		_, err = c.h.broker.PutPermission(c.r.Context(), rabbitmq.Permission{
			User: c.user, Vhost: name, Configure: ".*", Write: ".*", Read: ".*",
		})
	}
	if err != nil {
		return err
	}
	c.made(created)
	return nil
}

func deleteVhost(c *call) error {
	if _, ok := c.h.broker.Vhost(c.vars["vhost"]); !ok {
		return missing()
	}
	if err := c.h.broker.DeleteVhost(c.r.Context(), c.vars["vhost"]); err != nil {
		return err
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

// startVhost answers what restarts a virtual host on a node; they all run.
func startVhost(c *call) error {
	if _, err := c.namespace(); err != nil {
		return err
	}
	if node := c.vars["node"]; node != c.h.cfg.Node {
		return badRequest("Request to node " + node + " failed with nodedown")
	}
	return done(c)
}
