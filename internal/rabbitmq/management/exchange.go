package management

import (
	"coffer/internal/broker"
	"coffer/internal/rabbitmq"
)

// defaultExchange is how paths name the exchange without a name.
const defaultExchange = "amq.default"

// exchangeTypes are what overviews list, with what RabbitMQ says of them.
func exchangeTypes() []object {
	var list []object
	for _, t := range [...][2]string{
		{"direct", "AMQP direct exchange, as per the AMQP specification"},
		{"fanout", "AMQP fanout exchange, as per the AMQP specification"},
		{"headers", "AMQP headers exchange, as per the AMQP specification"},
		{"topic", "AMQP topic exchange, as per the AMQP specification"},
		{"x-consistent-hash", "Consistent Hashing Exchange"},
		{"x-local-random", "Picks one random local binding (queue) to route via (to)."},
	} {
		list = append(list, object{"name": t[0], "description": t[1], "enabled": true})
	}
	return list
}

// builtIn are the exchanges of every virtual host. Those but the first are made when a
// client first enters it.
func builtIn() []broker.Address {
	return []broker.Address{
		{Name: "", Kind: broker.Direct, Durable: true},
		{Name: "amq.direct", Kind: broker.Direct, Durable: true},
		{Name: "amq.fanout", Kind: broker.Fanout, Durable: true},
		{Name: "amq.headers", Kind: broker.Matched, Durable: true},
		{Name: "amq.match", Kind: broker.Matched, Durable: true},
		{Name: "amq.topic", Kind: broker.Pattern, Durable: true},
	}
}

// listExchanges answers GET /api/exchanges and /api/exchanges/{vhost}.
func listExchanges(c *call) error {
	var list []lazy
	for _, vhost := range c.vhosts() {
		ns, ok := c.h.broker.Namespace(vhost)
		if !ok {
			continue
		}
		for _, x := range exchanges(ns) {
			list = append(list, lazy{vhost, x.Name, func() (object, error) {
				return c.shownExchange(vhost, x)
			}})
		}
	}
	return c.lazyPages(list)
}

// exchanges lists those of a virtual host, also those that nobody has used yet.
func exchanges(ns *broker.Namespace) []broker.Address {
	t := ns.Topology()
	var list []broker.Address
	for _, x := range builtIn() {
		if _, ok := t.Address(x.Name); !ok {
			list = append(list, counted(ns, x))
		}
	}
	for x := range t.Addresses {
		list = append(list, x)
	}
	return list
}

// counted gives the exchange without a name its counts.
func counted(ns *broker.Namespace, x broker.Address) broker.Address {
	if x.Name == "" {
		x.Counts = ns.DefaultCounts()
	}
	return x
}

// exchangeName gives the name that a variable of the path means.
func (c *call) exchangeName(variable string) string {
	if name := c.vars[variable]; name != defaultExchange {
		return name
	}
	return ""
}

// exchange gives the exchange of the path.
func (c *call) exchange(variable string) (broker.Address, error) {
	ns, err := c.namespace()
	if err != nil {
		return broker.Address{}, err
	}
	name := c.exchangeName(variable)
	if x, ok := ns.Topology().Address(name); ok {
		return x, nil
	}
	for _, x := range builtIn() {
		if x.Name == name {
			return counted(ns, x), nil
		}
	}
	return broker.Address{}, missing()
}

func getExchange(c *call) error {
	x, err := c.exchange("exchange")
	if err != nil {
		return err
	}
	o, err := c.shownExchange(c.vars["vhost"], x)
	if err != nil {
		return err
	}
	o["incoming"], o["outgoing"] = []object{}, []object{}
	return c.one(o)
}

// shownExchange gives the fields of an exchange.
func (c *call) shownExchange(vhost string, x broker.Address) (object, error) {
	arguments, err := c.h.doors.Arguments(x.Arguments)
	if err != nil {
		return nil, err
	}
	o := object{
		"name": x.Name, "vhost": vhost, "type": rabbitmq.ExchangeType(x.Kind), "durable": x.Durable,
		"auto_delete": x.AutoDelete, "internal": x.Internal, "arguments": arguments,
	}
	for _, b := range builtIn() {
		if b.Name == x.Name {
			o["user_who_performed_action"] = "rmq-internal"
		}
	}
	if c.query.Get("disable_stats") == "true" {
		return o, nil
	}
	if x.Counts != nil {
		in, out := x.Counts.Load()
		o["message_stats"] = c.count(object{}, "exchange "+vhost+"\x00"+x.Name,
			count{"publish_in", in}, count{"publish_out", out})
	}
	policy, operator, definition := c.h.broker.Effective(vhost, rabbitmq.KindExchange, x.Name)
	if policy != nil {
		o["policy"] = policy.Name
	}
	if operator != nil {
		o["operator_policy"] = operator.Name
	}
	if len(definition) > 0 {
		o["effective_policy_definition"] = definition
	}
	return o, nil
}

func putExchange(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	var flags [3]bool
	for i, name := range [...]string{"durable", "auto_delete", "internal"} {
		if flags[i], err = truth(body, name); err != nil {
			return err
		}
	}
	arguments, err := inner(body, "arguments")
	if err != nil {
		return err
	}
	kind, err := word(body, "type")
	if err != nil {
		return err
	}
	if kind == "" {
		kind = "direct"
	}
	_, getErr := c.exchange("exchange")
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	err = cl.channel.ExchangeDeclare(c.exchangeName("exchange"), kind, flags[0], flags[1],
		flags[2], false, table(arguments))
	if err != nil {
		return refused(err)
	}
	c.made(getErr != nil)
	return nil
}

func deleteExchange(c *call) error {
	if _, err := c.exchange("exchange"); err != nil {
		return err
	}
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	err = cl.channel.ExchangeDelete(c.exchangeName("exchange"),
		c.query.Get("if-unused") == "true", false)
	if err != nil {
		return refused(err)
	}
	c.answer.status(204)
	return nil
}
