package management

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// definitionsBody reads definitions, also from the file of a form.
func (c *call) definitionsBody() (object, error) {
	kind, parameters, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return c.largeBody()
	}
	c.r.Body = http.MaxBytesReader(c.answer.w, c.r.Body, c.h.cfg.MaxBody)
	form, err := c.r.MultipartReader()
	if err != nil {
		return nil, badRequest("not_json")
	}
	for {
		part, err := form.NextPart()
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, badRequest(tooLarge)
		}
		if err != nil {
			return nil, badRequest("no file in the form")
		}
		if part.FormName() != "file" {
			continue
		}
		c.r.Body, c.r.ContentLength = io.NopCloser(part), -1
		return c.largeBody()
	}
}

func (m *importing) user(item object) error {
	s := rabbitmq.UserSpec{}
	var err error
	if s.Name, err = word(item, "name"); err != nil {
		return err
	}
	if s.Tags, err = tagList(orEmpty(item["tags"])); err != nil {
		return err
	}
	if argon, _ := item[argonField].(string); argon != "" {
		s.Argon2id = argon
	} else if err := setPassword(&s, item); err != nil {
		return err
	}
	if _, err := m.c.h.broker.PutUser(m.c.r.Context(), s); err != nil {
		return err
	}
	limits, err := inner(item, "limits")
	for name := range limits {
		n, err := integer(limits, name)
		if err == nil {
			err = m.c.h.broker.SetUserLimit(m.c.r.Context(), s.Name, name, n)
		}
		if err != nil {
			return err
		}
	}
	return err
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func (m *importing) vhostOf(item object) error {
	v := rabbitmq.Vhost{}
	err := words(item, map[string]*string{"name": &v.Name, "description": &v.Description,
		"default_queue_type": &v.DefaultQueueType})
	if err != nil {
		return err
	}
	metadata, err := inner(item, "metadata")
	if err != nil {
		return err
	}
	if v.Description == "" {
		v.Description, _ = metadata["description"].(string)
	}
	if v.DefaultQueueType == "" {
		v.DefaultQueueType, _ = metadata["default_queue_type"].(string)
	}
	if v.DefaultQueueType == undefined {
		v.DefaultQueueType = ""
	}
	tags := item["tags"]
	if tags == nil {
		tags = metadata["tags"]
	}
	if v.Tags, err = tagList(orEmpty(tags)); err != nil {
		return err
	}
	_, err = m.c.h.broker.PutVhost(m.c.r.Context(), v)
	return err
}

func (m *importing) permission(item object) error {
	p := rabbitmq.Permission{}
	err := words(item, map[string]*string{"user": &p.User, "vhost": &p.Vhost,
		"configure": &p.Configure, "write": &p.Write, "read": &p.Read})
	if err == nil {
		_, err = m.c.h.broker.PutPermission(m.c.r.Context(), p)
	}
	return err
}

func (m *importing) topic(item object) error {
	p := rabbitmq.TopicPermission{}
	err := words(item, map[string]*string{"user": &p.User, "vhost": &p.Vhost,
		"exchange": &p.Exchange, "write": &p.Write, "read": &p.Read})
	if err == nil {
		_, err = m.c.h.broker.PutTopicPermission(m.c.r.Context(), p)
	}
	return err
}

// parameter takes a parameter, or what RabbitMQ keeps as one.
func (m *importing) parameter(item object) error {
	p := rabbitmq.Parameter{}
	err := words(item, map[string]*string{"component": &p.Component, "vhost": &p.Vhost,
		"name": &p.Name})
	if err != nil {
		return err
	}
	ctx, b := m.c.r.Context(), m.c.h.broker
	switch p.Component {
	case operatorComponent:
		value, err := inner(item, "value")
		if err != nil {
			return err
		}
		value["vhost"], value["name"] = p.Vhost, p.Name
		return m.put(value, true)
	case limitComponent:
		limits, err := inner(item, "value")
		for name := range limits {
			n, err := integer(limits, name)
			if err == nil {
				err = b.SetVhostLimit(ctx, p.Vhost, name, n)
			}
			if err != nil {
				return err
			}
		}
		return err
	}
	if p.Value, err = json.Marshal(item["value"]); err != nil {
		return err
	}
	_, err = b.PutParameter(ctx, p)
	return err
}

// global takes a global parameter; what names a cluster of RabbitMQ is that one's.
func (m *importing) global(item object) error {
	name, err := word(item, "name")
	if err != nil || name == "internal_cluster_id" {
		return err
	}
	value, err := json.Marshal(item["value"])
	if err == nil {
		_, err = m.c.h.broker.PutGlobalParameter(m.c.r.Context(), name, value)
	}
	return err
}

func (m *importing) policy(item object) error { return m.put(item, false) }

func (m *importing) put(item object, operator bool) error {
	p := rabbitmq.Policy{Operator: operator}
	err := words(item, map[string]*string{"vhost": &p.Vhost, "name": &p.Name,
		"pattern": &p.Pattern, "apply-to": &p.ApplyTo})
	if err != nil {
		return err
	}
	if p.ApplyTo == "" {
		p.ApplyTo = "all"
	}
	if _, given := item["priority"]; given {
		n, err := integer(item, "priority")
		if err != nil {
			return err
		}
		p.Priority = int(n)
	}
	if p.Definition, err = inner(item, "definition"); err != nil {
		return err
	}
	_, err = m.c.h.broker.PutPolicy(m.c.r.Context(), p)
	return err
}

// in gives the broker's own client in a virtual host: an import needs no permissions in
// what it makes.
func (m *importing) in(vhost string) (*client, error) {
	if _, ok := m.c.h.broker.Namespace(vhost); !ok {
		return nil, fault.New(fault.NotFound, "no such vhost: %s", vhost)
	}
	if cl := m.clients[vhost]; cl != nil {
		return cl, nil
	}
	cl, err := m.c.clientAs("", vhost)
	if err == nil {
		m.clients[vhost] = cl
	}
	return cl, err
}

func (m *importing) close() {
	for _, cl := range m.clients {
		cl.close()
	}
}

// thing reads what exchanges and queues have in common.
func (m *importing) thing(item object) (vhost, name string, arguments object, err error) {
	if err = words(item, map[string]*string{"vhost": &vhost, "name": &name}); err == nil {
		arguments, err = inner(item, "arguments")
	}
	return vhost, name, arguments, err
}

func flags(item object, names ...string) (list []bool, err error) {
	for _, name := range names {
		yes, err := truth(item, name)
		if err != nil {
			return nil, err
		}
		list = append(list, yes)
	}
	return list, nil
}

// exchange declares an exchange unless there is one of the name.
func (m *importing) exchange(item object) error {
	vhost, name, arguments, err := m.thing(item)
	if err != nil {
		return err
	}
	kind, err := word(item, "type")
	if err != nil {
		return err
	}
	f, err := flags(item, "durable", "auto_delete", "internal")
	if err != nil {
		return err
	}
	cl, err := m.in(vhost)
	if err != nil {
		return err
	}
	if ns, ok := m.c.h.broker.Namespace(vhost); ok {
		if _, there := ns.Topology().Address(name); there {
			return nil
		}
	}
	err = cl.channel.ExchangeDeclare(name, kind, f[0], f[1], f[2], false, table(arguments))
	return orRefused(err)
}

// queue declares a queue unless there is one of the name.
func (m *importing) queue(item object) error {
	vhost, name, arguments, err := m.thing(item)
	if err != nil {
		return err
	}
	f, err := flags(item, "durable", "auto_delete")
	if err != nil {
		return err
	}
	if kind, _ := item["type"].(string); kind != "" && kind != rabbitmq.KindClassic &&
		arguments["x-queue-type"] == nil {
		arguments["x-queue-type"] = kind
	}
	cl, err := m.in(vhost)
	if err != nil {
		return err
	}
	if ns, ok := m.c.h.broker.Namespace(vhost); ok {
		if _, there := ns.Topology().Queue(name); there {
			return nil
		}
	}
	_, err = cl.channel.QueueDeclare(name, f[0], f[1], false, false, table(arguments))
	return orRefused(err)
}

func (m *importing) binding(item object) error {
	var vhost, source, destination, kind, key string
	err := words(item, map[string]*string{"vhost": &vhost, "source": &source,
		"destination": &destination, "destination_type": &kind, "routing_key": &key})
	if err != nil {
		return err
	}
	arguments, err := inner(item, "arguments")
	if err != nil {
		return err
	}
	cl, err := m.in(vhost)
	if err != nil || source == "" {
		return err
	}
	if kind == toExchange {
		return orRefused(cl.channel.ExchangeBind(destination, key, source, false, table(arguments)))
	}
	return orRefused(cl.channel.QueueBind(destination, key, source, false, table(arguments)))
}

func orRefused(err error) error {
	if err == nil {
		return nil
	}
	return refused(err)
}
