package metrics

import (
	"strconv"
	"strings"
	"time"

	"coffer/internal/broker"
	"coffer/internal/rabbitmq"
)

// scene is what is shown, as of one request.
type scene struct {
	now         time.Time
	node        Node
	vhosts      []vhostRow
	queues      []queueRow
	exchanges   []exchangeRow
	connections []connectionRow
	channels    []channelRow
	protocols   []Protocol
	sums        broker.NamespaceStats // of all virtual hosts
	publishers  map[string]int        // channels that have published, by protocol
	consumers   map[string]int
}

type vhostRow struct{ name string }

// render makes the answer.
func (h *Handler) render(v view) []byte {
	e := escaper()
	s := h.look(&v, e)
	t := &text{buf: make([]byte, 0, h.room(&v))}
	once := []scene{*s}
	nameless := func(*scene) string { return "" }
	if v.families == nil {
		s.alarms(t)
	}
	show(t, &v, once, nameless, nodeFamilies())
	s.logins(t, &v, e)
	show(t, &v, s.queues, func(q *queueRow) string { return q.labels }, queueFamilies())
	show(t, &v, s.queues, func(q *queueRow) string { return q.labels }, published())
	if v.each && v.informs() {
		queueInfo(t, &v, s.queues, e)
	}
	show(t, &v, s.exchanges, func(x *exchangeRow) string { return x.labels }, exchangeFamilies())
	show(t, &v, s.channels, func(c *channelRow) string { return c.labels }, channelFamilies())
	show(t, &v, s.connections, func(c *connectionRow) string { return c.labels },
		connectionFamilies())
	if v.families == nil {
		s.totals(t)
		s.global(t, e)
	} else {
		s.cluster(t, &v, e)
	}
	s.identity(t, &v, e)
	h.sizes[index(v.each)].Store(int64(len(t.buf)))
	return t.buf
}

// room is about how long the answer will be: an answer that grows is copied often.
func (h *Handler) room(v *view) int64 {
	const least, more = 32 << 10, 10
	last := h.sizes[index(v.each)].Load()
	return max(least, last+last/more)
}

// look takes what a view needs.
func (h *Handler) look(v *view, e *strings.Replacer) *scene {
	s := &scene{
		now: h.cfg.Now(), node: h.cfg.Node(), protocols: h.doors.Protocols(),
		publishers: map[string]int{}, consumers: map[string]int{},
	}
	var all []*broker.Namespace
	for _, vhost := range h.broker.Vhosts() {
		n, ok := h.broker.Namespace(vhost.Name)
		if !ok {
			continue // it was deleted meanwhile
		}
		all = append(all, n)
		if v.in(vhost.Name) {
			h.enter(s, v, e, vhost.Name, n)
		}
	}
	s.sums = h.ledger.sum(all)
	for _, c := range h.doors.Connections() {
		if v.in(c.Vhost) {
			s.connect(c, e)
		}
	}
	return s
}

// enter looks at a virtual host.
func (h *Handler) enter(
	s *scene, v *view, e *strings.Replacer, vhost string, n *broker.Namespace,
) {
	s.vhosts = append(s.vhosts, vhostRow{vhost})
	topology := n.Topology()
	if wants(v, queueFamilies()) || wants(v, published()) {
		topology.Queues(func(q *broker.Queue) bool {
			spec := q.Spec()
			row := queueRow{
				kind: queueTypes()[index(spec.KeepAll)], QueueStats: q.Stats(),
				capacity: h.cfg.Capacity(vhost, spec.Name),
			}
			if v.each {
				row.labels = pairs(e, "vhost", vhost, "queue", spec.Name)
			}
			s.queues = append(s.queues, row)
			return true
		})
	}
	if !v.families["exchange_metrics"] && !v.families["exchange_names"] &&
		!v.families["exchange_bindings"] {
		return
	}
	bindings := map[string]int{}
	for _, b := range n.Bindings() {
		bindings[b.Source]++
	}
	topology.Addresses(func(a broker.Address) bool {
		in, out := a.Counts.Load()
		s.exchanges = append(s.exchanges, exchangeRow{
			labels: pairs(e, "vhost", vhost, "exchange", a.Name),
			kind:   rabbitmq.ExchangeType(a.Kind), in: in, out: out, bindings: bindings[a.Name],
		})
		return true
	})
}

func index(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// connect adds a connection with its channels.
func (s *scene) connect(c Connection, e *strings.Replacer) {
	s.connections = append(s.connections, connectionRow{
		labels: pairs(e, "channel", c.Name, "vhost", c.Vhost), Connection: c,
	})
	s.publishers[c.Protocol] += c.Senders
	s.consumers[c.Protocol] += c.Receivers
	for _, ch := range c.Channels {
		name := c.Name + " (" + strconv.Itoa(int(ch.Number)) + ")"
		s.channels = append(s.channels, channelRow{
			labels: pairs(e, "channel", name, "vhost", c.Vhost), Channel: ch,
		})
		s.consumers[c.Protocol] += ch.Consumers
		if ch.Counts.Publish > 0 {
			s.publishers[c.Protocol]++
		}
	}
}
