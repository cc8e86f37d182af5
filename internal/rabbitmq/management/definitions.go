package management

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"strings"

	"coffer/internal/rabbitmq"
)

// Definitions are RabbitMQ's JSON: users, virtual hosts and the rest of a broker, or what
// is in one virtual host. Operator policies and limits of virtual hosts are among the
// parameters, as RabbitMQ writes them.
const (
	operatorComponent = "operator_policy"
	limitComponent    = "vhost-limits"
	limitName         = "limits"
	argonField        = "argon2id" // of a user whose hash RabbitMQ does not know
)

// exportAll answers GET /api/definitions.
func exportAll(c *call) error {
	o, err := c.exportTopology("")
	if err != nil {
		return err
	}
	o["rabbitmq_definition_format"] = "cluster"
	o["original_cluster_name"] = c.clusterName()
	o["users"], o["vhosts"] = c.exportUsers(), c.exportVhosts()
	permissions, topics := []object{}, []rabbitmq.TopicPermission{}
	for _, p := range c.h.broker.Permissions() {
		permissions = append(permissions, shownPermission(p))
	}
	globals := []object{}
	for _, p := range c.h.broker.GlobalParameters() {
		globals = append(globals, shownParameter(p))
	}
	o["permissions"], o["global_parameters"] = permissions, globals
	o["topic_permissions"] = append(topics, c.h.broker.TopicPermissions()...)
	return c.exported(o)
}

// exportOne answers GET /api/definitions/{vhost}.
func exportOne(c *call) error {
	v, ok := c.h.broker.Vhost(c.vars["vhost"])
	if !ok {
		return missing()
	}
	o, err := c.exportTopology(v.Name)
	if err != nil {
		return err
	}
	o["rabbitmq_definition_format"], o["original_vhost_name"] = "single_virtual_host", v.Name
	o["description"], o["metadata"] = v.Description, c.shownVhost(v)["metadata"]
	o["default_queue_type"] = c.shownVhost(v)["default_queue_type"]
	o["limits"] = limitsOf(c.h.broker.VhostLimits(v.Name))
	return c.exported(o)
}

// exported answers with definitions, as a file if that is asked for.
func (c *call) exported(o object) error {
	o["rabbit_version"], o["rabbitmq_version"] = c.h.cfg.Version, c.h.cfg.Version
	o["product_name"], o["product_version"] = c.h.cfg.Product, c.h.cfg.Build
	if name := c.query.Get("download"); name != "" {
		c.answer.w.Header().Set("Content-Disposition",
			mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	return c.one(o)
}

func (c *call) exportUsers() []object {
	list := []object{}
	for _, u := range c.h.broker.Users() {
		o := shownUser(u)
		if u.Argon2id != "" {
			o[argonField] = u.Argon2id
		}
		list = append(list, o)
	}
	return list
}

func (c *call) exportVhosts() []object {
	list := []object{}
	for _, v := range c.h.broker.Vhosts() {
		shown := c.shownVhost(v)
		o := object{}
		for _, key := range [...]string{
			"name", "description", "tags", "default_queue_type", "metadata",
		} {
			o[key] = shown[key]
		}
		if o["default_queue_type"] == undefined {
			delete(o, "default_queue_type")
		}
		list = append(list, o)
	}
	return list
}

// exportTopology gives what is in a virtual host, or in all with "".
func (c *call) exportTopology(one string) (object, error) {
	o := object{
		"queues": []object{}, "exchanges": []object{}, "bindings": []object{},
		"policies": []object{}, "parameters": []object{},
	}
	add := func(key string, item object) {
		if one != "" && key != "policies" && key != "parameters" {
			delete(item, "vhost")
		}
		o[key] = append(o[key].([]object), item)
	}
	for _, v := range c.h.broker.Vhosts() {
		if one != "" && v.Name != one {
			continue
		}
		if err := c.exportVhost(v.Name, add); err != nil {
			return nil, err
		}
	}
	for _, p := range c.h.broker.Policies(false) {
		if one == "" || p.Vhost == one {
			add("policies", shownPolicy(p))
		}
	}
	for _, p := range c.h.broker.Policies(true) {
		if one == "" || p.Vhost == one {
			value := shownPolicy(p)
			delete(value, "vhost")
			delete(value, "name")
			add("parameters", object{
				"component": operatorComponent, "vhost": p.Vhost, "name": p.Name, "value": value,
			})
		}
	}
	for _, p := range c.h.broker.Parameters() {
		if one == "" || p.Vhost == one {
			add("parameters", shownParameter(p))
		}
	}
	return o, nil
}

// exportVhost adds queues, exchanges, bindings and limits of a virtual host.
func (c *call) exportVhost(vhost string, add func(string, object)) error {
	if m := c.h.broker.VhostLimits(vhost); len(m) > 0 {
		add("parameters", object{
			"component": limitComponent, "vhost": vhost, "name": limitName, "value": limitsOf(m),
		})
	}
	ns, ok := c.h.broker.Namespace(vhost)
	if !ok {
		return nil
	}
	exclusive := map[string]bool{}
	queues, exchanges, bindings := []object{}, []object{}, []object{}
	for q := range ns.Topology().Queues {
		spec := q.Spec()
		if exclusive[spec.Name] = spec.Exclusive; spec.Exclusive {
			continue
		}
		arguments, err := c.h.doors.Arguments(spec.Arguments)
		if err != nil {
			return err
		}
		queues = append(queues, object{
			"name": spec.Name, "vhost": vhost, "durable": spec.Durable,
			"auto_delete": spec.AutoDelete, "arguments": arguments, "type": queueKind(arguments),
		})
	}
	for x := range ns.Topology().Addresses {
		if x.Name == "" || strings.HasPrefix(x.Name, "amq.") {
			continue
		}
		arguments, err := c.h.doors.Arguments(x.Arguments)
		if err != nil {
			return err
		}
		exchanges = append(exchanges, object{
			"name": x.Name, "vhost": vhost, "type": exchangeType(x.Kind), "durable": x.Durable,
			"auto_delete": x.AutoDelete, "internal": x.Internal, "arguments": arguments,
		})
	}
	for _, b := range ns.Bindings() {
		if b.Address == "" && exclusive[b.Queue] {
			continue
		}
		o, err := c.shownBinding(vhost, b)
		if err != nil {
			return err
		}
		delete(o, "properties_key")
		bindings = append(bindings, o)
	}
	for key, list := range map[string][]object{
		"queues": queues, "exchanges": exchanges, "bindings": bindings,
	} {
		for _, o := range ordered(list) {
			add(key, o)
		}
	}
	return nil
}

// ordered sorts what has no order, so that two exports of the same are the same.
func ordered(list []object) []object {
	return (&call{}).sorted(list, []string{
		"name", "source", "destination_type", "destination", "routing_key",
	})
}

func queueKind(arguments object) string {
	if kind, ok := arguments["x-queue-type"].(string); ok {
		return kind
	}
	return rabbitmq.KindClassic
}

// importing is a definitions file on its way into the broker.
type importing struct {
	c       *call
	vhost   string // of everything; "": each item names its own
	clients map[string]*client
}

func importAll(c *call) error { return c.take("") }

func importOne(c *call) error {
	if _, err := c.namespace(); err != nil {
		return err
	}
	return c.take(c.vars["vhost"])
}

// take reads definitions and makes what they say. What is there already stays as it is
// or is replaced, as RabbitMQ does; at the first error it stops.
func (c *call) take(vhost string) error {
	body, err := c.definitionsBody()
	if err != nil {
		return err
	}
	m := &importing{c: c, vhost: vhost, clients: map[string]*client{}}
	defer m.close()
	steps := []struct {
		key string
		do  func(object) error
	}{
		{"users", m.user}, {"vhosts", m.vhostOf}, {"permissions", m.permission},
		{"topic_permissions", m.topic}, {"parameters", m.parameter},
		{"global_parameters", m.global}, {"policies", m.policy}, {"exchanges", m.exchange},
		{"queues", m.queue}, {"bindings", m.binding},
	}
	for _, s := range steps {
		if err := m.each(body, s.key, s.do); err != nil {
			return err
		}
	}
	return done(c)
}

// each does something with every item of a list, if it is there.
func (m *importing) each(body object, key string, do func(object) error) error {
	switch key {
	case "users", "vhosts", "permissions", "topic_permissions", "global_parameters":
		if m.vhost != "" {
			return nil // a virtual host has none
		}
	}
	list, ok := body[key].([]any)
	if !ok && body[key] != nil {
		return badRequest(key + " is not a list")
	}
	for _, v := range list {
		item, ok := v.(object)
		if !ok {
			return badRequest("an item of " + key + " is not an object")
		}
		item = maps.Clone(item)
		if m.vhost != "" {
			item["vhost"] = m.vhost
		}
		if err := do(item); err != nil {
			return imported(key, item, err)
		}
	}
	return nil
}

// imported says at which item an import stopped.
func imported(key string, item object, err error) error {
	f := asFailure(err)
	if f.status >= http.StatusInternalServerError {
		return err
	}
	name := item["name"]
	if name == nil {
		name = item["source"]
	}
	reason := fmt.Sprint(f.reason)
	if text, ok := f.reason.(string); ok {
		reason = text
	}
	return badRequest(fmt.Sprintf("%s %v: %s", strings.TrimSuffix(key, "s"), name, reason))
}
