package management

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// What a binding leads to, as answers name it.
const (
	toQueue    = "queue"
	toExchange = "exchange"
)

// bindings lists those of a virtual host that fn keeps, with the bindings that every
// queue has to the default exchange.
func (c *call) bindings(vhost string, fn func(broker.Binding) bool) ([]object, error) {
	ns, ok := c.h.broker.Namespace(vhost)
	if !ok {
		return nil, nil
	}
	list := []object{}
	for q := range ns.Topology().Queues {
		name := q.Spec().Name
		b := broker.Binding{Queue: name, Key: name}
		if !fn(b) {
			continue
		}
		o, err := c.shownBinding(vhost, b)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	for _, b := range ns.Bindings() {
		if !fn(b) {
			continue
		}
		o, err := c.shownBinding(vhost, b)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

func (c *call) shownBinding(vhost string, b broker.Binding) (object, error) {
	arguments, err := c.h.doors.Arguments(b.Arguments)
	if err != nil {
		return nil, err
	}
	o := object{
		"source": b.Source, "vhost": vhost, "routing_key": b.Key, "arguments": arguments,
		"destination": b.Queue, "destination_type": toQueue, "properties_key": propertiesKey(b),
	}
	if b.Address != "" {
		o["destination"], o["destination_type"] = b.Address, toExchange
	}
	return o, nil
}

// propertiesKey tells the bindings between two ends apart: the key, and a digest of the
// arguments when there are some.
func propertiesKey(b broker.Binding) string {
	key := strings.ReplaceAll(url.QueryEscape(b.Key), "~", "%7E")
	if len(b.Arguments) == 0 {
		if key == "" {
			return "~"
		}
		return key
	}
	sum := sha256.Sum256(b.Arguments)
	return key + "~" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// listBindings answers GET /api/bindings and /api/bindings/{vhost}.
func listBindings(c *call) error {
	list := []object{}
	for _, vhost := range c.vhosts() {
		part, err := c.bindings(vhost, func(broker.Binding) bool { return true })
		if err != nil {
			return err
		}
		list = append(list, part...)
	}
	return c.list(list, "vhost", "source", "destination_type", "destination", "routing_key")
}

// bindingsThat answers with the bindings of the path's virtual host that fn keeps.
func bindingsThat(fn func(*call, broker.Binding) bool) func(*call) error {
	return func(c *call) error {
		list, err := c.bindings(c.vars["vhost"], func(b broker.Binding) bool { return fn(c, b) })
		if err != nil {
			return err
		}
		return c.list(list, "source", "destination_type", "destination", "routing_key")
	}
}

func ofQueue(c *call, b broker.Binding) bool {
	return b.Address == "" && b.Queue == c.vars["queue"]
}

func fromExchange(c *call, b broker.Binding) bool { return b.Source == c.exchangeName("exchange") }

func toTheExchange(c *call, b broker.Binding) bool {
	return b.Address != "" && b.Address == c.exchangeName("exchange")
}

// between reports whether a binding joins the two ends of the path.
func between(c *call, b broker.Binding) bool {
	if b.Source != c.exchangeName("source") {
		return false
	}
	if c.vars["queue"] != "" {
		return b.Address == "" && b.Queue == c.vars["queue"]
	}
	return b.Address != "" && b.Address == c.vars["destination"]
}

// queueBindings answers GET /api/queues/{vhost}/{queue}/bindings.
func queueBindings(c *call) error {
	if _, err := c.queue(); err != nil {
		return err
	}
	return bindingsThat(ofQueue)(c)
}

// binding gives the one that the path names.
func (c *call) binding() (b broker.Binding, err error) {
	ns, err := c.namespace()
	if err != nil {
		return b, err
	}
	for _, b := range ns.Bindings() {
		if between(c, b) && sameKey(propertiesKey(b), c.vars["key"]) {
			return b, nil
		}
	}
	if name := c.vars["queue"]; name != "" && c.exchangeName("source") == "" &&
		sameKey(propertiesKey(broker.Binding{Key: name}), c.vars["key"]) {
		if _, ok := ns.Topology().Queue(name); ok {
			return broker.Binding{Queue: name, Key: name}, nil
		}
	}
	return b, missing()
}

// sameKey compares a properties key with one of a path, which clients may have escaped
// once or twice.
func sameKey(key, given string) bool {
	if key == given {
		return true
	}
	plain, err := url.QueryUnescape(key)
	return err == nil && plain == given
}

func getBinding(c *call) error {
	b, err := c.binding()
	if err != nil {
		return err
	}
	o, err := c.shownBinding(c.vars["vhost"], b)
	if err != nil {
		return err
	}
	return c.one(o)
}

// postBinding makes a binding and tells where it is.
func postBinding(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	key, err := word(body, "routing_key")
	if err != nil {
		return err
	}
	arguments, err := inner(body, "arguments")
	if err != nil {
		return err
	}
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	source, end := c.exchangeName("source"), c.vars["queue"]
	if end != "" {
		err = cl.channel.QueueBind(end, key, source, false, table(arguments))
	} else {
		end = c.vars["destination"]
		err = cl.channel.ExchangeBind(end, key, source, false, table(arguments))
	}
	if err != nil {
		return refused(err)
	}
	c.answer.w.Header().Set("Location",
		url.QueryEscape(end)+"/"+url.QueryEscape(c.location(key, len(arguments))))
	c.answer.status(http.StatusCreated)
	return nil
}

// location gives the properties key of a binding that was made.
func (c *call) location(key string, arguments int) string {
	ns, ok := c.h.broker.Namespace(c.vars["vhost"])
	if !ok {
		return "~"
	}
	found := propertiesKey(broker.Binding{Key: key})
	for _, b := range ns.Bindings() {
		if between(c, b) && b.Key == key && (len(b.Arguments) > 0) == (arguments > 0) {
			found = propertiesKey(b)
		}
	}
	return found
}

// deleteBinding removes exactly the binding that the path names. The arguments are what
// the broker keeps, so it asks for the permissions itself.
func deleteBinding(c *call) error {
	b, err := c.binding()
	if err != nil {
		return err
	}
	vhost := c.vars["vhost"]
	if b.Source == "" {
		return notAuthorised("Access refused.")
	}
	if b.Address != "" {
		err = c.h.broker.Permit(c.user, vhost, toExchange, b.Address, rabbitmq.Write)
	} else {
		err = c.h.broker.Permit(c.user, vhost, toQueue, b.Queue, rabbitmq.Write)
	}
	if err == nil {
		err = c.h.broker.Permit(c.user, vhost, toExchange, b.Source, rabbitmq.Read)
	}
	if err != nil {
		return notAuthorised("Access refused.")
	}
	ns, err := c.namespace()
	if err != nil {
		return err
	}
	err = ns.Unbind(context.WithoutCancel(c.r.Context()), b)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	c.answer.status(http.StatusNoContent)
	return nil
}
