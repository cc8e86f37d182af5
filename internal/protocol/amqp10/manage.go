package amqp10

import (
	"errors"
	"net/url"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/convert"
)

// managementNode is the address of the node that RabbitMQ's clients declare things at:
// requests come on a link to it, and the answers go on a link of the same name from it.
const managementNode = "/management"

// Bounds of the management node.
const (
	maxReplies = 64 // answers that wait for credit
	maxRequest = 64 << 10
)

// status is an answer that is no success.
type status struct {
	code string
	text string
}

// Error gives both.
func (s *status) Error() string { return s.code + " " + s.text }

// answer handles a request to the management node.
func (c *conn) answer(l *link, in incoming, payload []byte) error {
	var out *link
	for _, other := range l.session.links {
		if other.management && !other.sender && other.name == l.name {
			out = other
		}
	}
	switch {
	case out == nil:
		return refuse(SessionScope, wire.AmqpErrorPreconditionFailed,
			"received transfer on half open management link pair")
	case len(payload) > maxRequest:
		return refuse(SessionScope, wire.LinkErrorMessageSizeExceeded,
			"management request of %d octets", len(payload))
	}
	if err := c.flush(); err != nil { // it sees what was sent before
		return err
	}
	var m wire.Message
	var q wire.Properties
	if err := m.Parse(payload); err != nil {
		return err
	}
	if m.Bare.Properties != nil {
		if err := q.Parse(m.Bare.Properties); err != nil {
			return err
		}
	}
	code, body, err := c.request(&q, m.Bare.Value())
	if err != nil {
		s, ok := errors.AsType[*status](err)
		if !ok {
			if s, err = statusOf(err); err != nil {
				return err
			}
		}
		code, body = s.code, wire.AppendString(nil, s.text)
	}
	if err := c.decide(in, c.accepted); err != nil {
		return err
	}
	return c.reply(out, encodeReply(code, body, q.MessageID))
}

// statusOf gives the answer to an error; a denial and what is our fault end the session.
func statusOf(err error) (*status, error) {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return &status{"404", publicText(err)}, nil
	case fault.Conflict:
		return &status{"409", publicText(err)}, nil
	case fault.Invalid, fault.NotImplemented, fault.Exhausted, fault.Exists:
		return &status{"400", publicText(err)}, nil
	}
	return nil, err
}

// encodeReply gives an answer: HTTP over AMQP, as RabbitMQ speaks it.
func encodeReply(code string, body []byte, id wire.Raw) []byte {
	q := wire.Properties{Subject: []byte(code), CorrelationID: id}
	b := q.Append(nil)
	b = wire.AppendDescriptor(b, wire.CodeApplicationProperties)
	b, at := wire.OpenMap(b)
	b = wire.AppendString(wire.AppendString(b, "http:response"), "1.1")
	b = wire.CloseMap(b, at, 1)
	b = wire.AppendDescriptor(b, wire.CodeAmqpValue)
	if body == nil {
		return wire.AppendNull(b)
	}
	return append(b, body...)
}

// reply sends an answer as soon as its link has credit.
func (c *conn) reply(l *link, message []byte) error {
	c.out.Lock()
	defer c.out.Unlock()
	if len(l.replies) >= maxReplies {
		return refuse(SessionScope, wire.AmqpErrorPreconditionFailed,
			"insufficient credit for management link to client")
	}
	l.replies = append(l.replies, message)
	c.sendReplies(l)
	return nil
}

// sendReplies sends answers that there is credit and a window for. The caller holds
// the lock.
func (c *conn) sendReplies(l *link) {
	s := l.session
	for len(l.replies) > 0 && (l.credit > 0 || l.replied > 0) && s.remoteWindow > 0 && !l.detached {
		t := wire.Transfer{Handle: l.handle}
		if l.replied == 0 {
			t.DeliveryID, t.MessageFormat = wire.Some(s.nextDelivery), wire.Some(uint32(0))
			t.DeliveryTag, t.Settled = []byte{}, true
			s.nextDelivery++
			l.deliveryCount++
			l.credit--
		}
		if l.replied = c.frames(s, &t, nil, l.replies[0], l.replied); l.replied > 0 {
			break
		}
		l.replies = l.replies[1:]
	}
	c.out.Notify()
}

// request does what a request asks for.
func (c *conn) request(q *wire.Properties, body wire.Raw) (code string, reply []byte, err error) {
	to, _ := q.To.Text()
	u, err := url.Parse(string(to))
	if err != nil || !strings.HasPrefix(string(to), "/") {
		return "", nil, &status{"400", "failed to normalize URI '" + string(to) + "'"}
	}
	segments := strings.Split(u.EscapedPath(), "/")[1:]
	kind, name, last := segments[0], "", ""
	if len(segments) > 1 {
		if name, err = url.PathUnescape(segments[1]); err != nil {
			return "", nil, &status{"400", "failed to normalize URI '" + string(to) + "'"}
		}
	}
	if len(segments) > 2 {
		last = "/" + strings.Join(segments[2:], "/")
	}
	if strings.ContainsAny(name, "\r\n") {
		return "", nil, &status{"400", "Bad name '" + name +
			"': line feed and carriage return characters not allowed"}
	}
	topology := c.srv.cfg.Topology(c.ctx, c.client, c.session)
	switch string(q.Subject) + " " + kind + last {
	case "GET queues":
		return c.getQueue(name)
	case "PUT queues":
		return c.putQueue(topology, name, body)
	case "DELETE queues", "DELETE queues/messages":
		n, err := topology.EmptyQueue(name, last == "")
		return "200", count(n), err
	case "PUT exchanges":
		return "204", nil, c.putExchange(topology, name, body)
	case "DELETE exchanges":
		if err := notReserved(kindExchange, name, c); err != nil {
			return "", nil, err
		}
		return "204", nil, topology.DeleteExchange(name)
	case "POST bindings":
		return "204", nil, c.postBinding(topology, body)
	case "DELETE bindings":
		return "204", nil, c.deleteBinding(topology, segments[1])
	case "GET bindings":
		return c.getBindings(u.Query())
	}
	return "", nil, &status{"404", "no " + string(q.Subject) + " " + string(to)}
}

// count is the answer to a deletion.
func count(messages int) []byte {
	b, at := wire.OpenMap(nil)
	b = wire.AppendUlong(wire.AppendString(b, "message_count"), uint64(max(messages, 0)))
	return wire.CloseMap(b, at, 1)
}

// notReserved refuses names that only a server may give.
func notReserved(kind, name string, c *conn) error {
	switch {
	case kind == kindExchange && name == "":
		return &status{"403", "operation not permitted on the default exchange"}
	case strings.HasPrefix(name, "amq."):
		return &status{"403", c.named(kind, name) + " starts with reserved prefix 'amq.'"}
	}
	return nil
}

// getQueue shows a queue.
func (c *conn) getQueue(name string) (code string, reply []byte, err error) {
	q, ok := c.namespace.Topology().Queue(name)
	if !ok {
		return "", nil, &status{"404", c.named(kindQueue, name) + " not found"}
	}
	return "200", c.showQueue(q), nil
}

// putQueue declares a queue.
func (c *conn) putQueue(t Topology, name string, body wire.Raw) (string, []byte, error) {
	if name == "" {
		return "", nil, &status{"400", "declare queue with empty name not allowed"}
	}
	if err := notReserved(kindQueue, name, c); err != nil {
		return "", nil, err
	}
	s := broker.QueueSpec{Name: name, Durable: true}
	err := fieldsOf(body, "bad queue property", func(key string, v wire.Raw) (ok bool, err error) {
		switch key {
		case "durable":
			s.Durable, ok = v.Bool()
		case "exclusive":
			s.Exclusive, ok = v.Bool()
		case "auto_delete":
			s.AutoDelete, ok = v.Bool()
		case "arguments":
			s.Arguments, err = convert.Table(v)
			ok = v.IsMap()
		}
		return ok, err
	})
	if err != nil {
		return "", nil, err
	}
	code := "200"
	if _, there := c.namespace.Topology().Queue(name); !there {
		code = "201"
	}
	q, err := t.DeclareQueue(s)
	if err != nil {
		return "", nil, err
	}
	return code, c.showQueue(q), nil
}

// fieldsOf gives each field of a body to take, which tells whether it knows it.
func fieldsOf(body wire.Raw, bad string, take func(string, wire.Raw) (bool, error)) (err error) {
	if !body.IsMap() {
		return &status{"400", "bad request body"}
	}
	body.Pairs(func(key, v wire.Raw) bool {
		name, _ := key.Word()
		var ok bool
		if ok, err = take(string(name), v); err == nil && !ok {
			err = &status{"400", bad + " " + string(name)}
		}
		return err == nil
	})
	return err
}

// putExchange declares an exchange.
func (c *conn) putExchange(t Topology, name string, body wire.Raw) error {
	if _, there := c.namespace.Topology().Address(name); !there {
		if err := notReserved(kindExchange, name, c); err != nil {
			return err
		}
	}
	x, kind := broker.Address{Name: name, Durable: true}, "direct"
	const bad = "bad exchange property"
	err := fieldsOf(body, bad, func(key string, v wire.Raw) (ok bool, err error) {
		switch key {
		case "durable":
			x.Durable, ok = v.Bool()
		case "auto_delete":
			x.AutoDelete, ok = v.Bool()
		case "internal":
			x.Internal, ok = v.Bool()
		case "type":
			var b []byte
			b, ok = v.Text()
			kind = string(b)
		case "arguments":
			x.Arguments, err = convert.Table(v)
			ok = v.IsMap()
		}
		return ok, err
	})
	if err != nil {
		return err
	}
	return t.DeclareExchange(x, kind)
}

// showQueue encodes what is told of a queue.
func (c *conn) showQueue(q *broker.Queue) []byte {
	s := q.Spec()
	ready, unacked, consumers := q.Counts()
	b, at := wire.OpenMap(nil)
	key := func(name string) { b = wire.AppendString(b, name) }
	key("message_count")
	b = wire.AppendUlong(b, uint64(max(ready+unacked, 0)))
	key("consumer_count")
	b = wire.AppendUint(b, uint32(max(consumers, 0)))
	for _, p := range [...][2]string{
		{"name", s.Name}, {"vhost", c.client.VHost}, {"leader", c.srv.cfg.Cluster},
		{"type", convert.QueueType(s.Arguments)},
	} {
		key(p[0])
		b = wire.AppendString(b, p[1])
	}
	for _, p := range [...]struct {
		name string
		yes  bool
	}{{"durable", s.Durable}, {"auto_delete", s.AutoDelete}, {"exclusive", s.Exclusive}} {
		key(p.name)
		b = wire.AppendBool(b, p.yes)
	}
	key("replicas")
	b = wire.AppendStrings(b, c.srv.cfg.Cluster)
	key("arguments")
	b = convert.AppendArguments(b, s.Arguments)
	return wire.CloseMap(b, at, 11)
}
