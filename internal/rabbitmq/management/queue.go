package management

import (
	"net/http"

	"coffer/internal/broker"
	"coffer/internal/rabbitmq"
)

// listQueues answers GET /api/queues and /api/queues/{vhost}.
func listQueues(c *call) error {
	var list []lazy
	for _, vhost := range c.vhosts() {
		ns, ok := c.h.broker.Namespace(vhost)
		if !ok {
			continue
		}
		for q := range ns.Topology().Queues {
			list = append(list, lazy{vhost, q.Spec().Name, func() (object, error) {
				return c.shownQueue(vhost, q)
			}})
		}
	}
	return c.lazyPages(list)
}

// vhosts gives the virtual host of the path, or all that the user sees.
func (c *call) vhosts() []string {
	if v, ok := c.vars["vhost"]; ok {
		return []string{v}
	}
	var list []string
	for _, v := range c.h.broker.Vhosts() {
		if c.sees(v.Name) {
			list = append(list, v.Name)
		}
	}
	return list
}

// queue gives the queue of the path.
func (c *call) queue() (*broker.Queue, error) {
	ns, err := c.namespace()
	if err != nil {
		return nil, err
	}
	q, ok := ns.Topology().Queue(c.vars["queue"])
	if !ok {
		return nil, missing()
	}
	return q, nil
}

func getQueue(c *call) error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	o, err := c.shownQueue(c.vars["vhost"], q)
	if err != nil {
		return err
	}
	o["incoming"], o["deliveries"] = []object{}, []object{}
	o["consumer_details"] = c.consumers(func(x *Connection, k *Consumer) bool {
		return x.Vhost == c.vars["vhost"] && k.Queue == c.vars["queue"]
	})
	return c.one(o)
}

// shownQueue gives the fields of a queue.
func (c *call) shownQueue(vhost string, q *broker.Queue) (object, error) {
	spec := q.Spec()
	arguments, err := c.h.doors.Arguments(spec.Arguments)
	if err != nil {
		return nil, err
	}
	kind := queueKind(arguments)
	o := object{
		"name": spec.Name, "vhost": vhost, "type": kind, "durable": spec.Durable,
		"auto_delete": spec.AutoDelete, "exclusive": spec.Exclusive, "arguments": arguments,
		"node": c.h.cfg.Node, "state": "running",
	}
	ready, unacked, _ := q.Counts()
	totals := c.query.Get("enable_queue_totals") == "true"
	plain := c.query.Get("disable_stats") == "true"
	if !plain || totals {
		o["messages"], o["messages_ready"] = ready+unacked, ready
		o["messages_unacknowledged"] = unacked
	}
	if !plain {
		c.queueFigures(o, vhost, q, kind)
	}
	return o, nil
}

func putQueue(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	durable, err := truth(body, "durable")
	if err != nil {
		return err
	}
	autoDelete, err := truth(body, "auto_delete")
	if err != nil {
		return err
	}
	arguments, err := inner(body, "arguments")
	if err != nil {
		return err
	}
	_, getErr := c.queue()
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	_, err = cl.channel.QueueDeclare(c.vars["queue"], durable, autoDelete, false, false,
		table(arguments))
	if err != nil {
		return refused(err)
	}
	c.made(getErr != nil)
	return nil
}

// made answers a PUT: 201 for what is new, 204 for what was there.
func (c *call) made(created bool) {
	if created {
		c.answer.status(http.StatusCreated)
		return
	}
	c.answer.status(http.StatusNoContent)
}

func deleteQueue(c *call) error {
	if _, err := c.queue(); err != nil {
		return err
	}
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	_, err = cl.channel.QueueDelete(c.vars["queue"], c.query.Get("if-unused") == "true",
		c.query.Get("if-empty") == "true", false)
	if err != nil {
		return refused(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

func purgeQueue(c *call) error {
	if _, err := c.queue(); err != nil {
		return err
	}
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	if _, err := cl.channel.QueuePurge(c.vars["queue"], false); err != nil {
		return refused(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

// actOnQueue answers what RabbitMQ asks of mirrored queues, which have nothing to do.
func actOnQueue(c *call) error {
	if _, err := c.queue(); err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := need(body, "action"); err != nil {
		return err
	}
	switch body["action"] {
	case "sync", "cancel_sync":
		c.answer.status(http.StatusNoContent)
		return nil
	}
	return badRequest([]any{"unknown", body["action"]})
}

func queueKind(arguments object) string {
	if kind, ok := arguments["x-queue-type"].(string); ok {
		return kind
	}
	return rabbitmq.KindClassic
}
