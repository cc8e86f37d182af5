package federation

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq/relay"
)

// headerReceived tells by which links a message has come, the last one first.
const headerReceived = "x-received-from"

// fromExchange makes messages for the exchange here.
func (e *ends) fromExchange(cluster string) func(*amqp.Delivery) (relay.Message, bool) {
	p := e.plan
	return func(d *amqp.Delivery) (relay.Message, bool) {
		way, _ := d.Headers[headerReceived].([]any)
		if len(way) >= p.upstream.hops || seen(way, e.set.cfg.Cluster, p.vhost) {
			return relay.Message{}, false
		}
		m := relay.Message{Exchange: p.name, Key: d.RoutingKey, Publishing: e.copied(d)}
		entry := amqp.Table{
			"uri": e.far.URI.String(), "exchange": p.name, "redelivered": d.Redelivered,
			"vhost": e.far.URI.Vhost(),
		}
		if cluster != "" {
			entry["cluster-name"] = cluster
		}
		m.Headers[headerReceived] = append([]any{entry}, way...)
		return m, true
	}
}

// fromQueue makes messages for the queue here.
func (e *ends) fromQueue(d *amqp.Delivery) (relay.Message, bool) {
	p := e.plan
	m := relay.Message{Key: p.name, Mandatory: true, Publishing: e.copied(d)}
	way, ok := d.Headers[headerReceived].([]any)
	if !ok {
		m.Headers["x-original-exchange"] = d.Exchange
		m.Headers["x-original-routing-key"] = d.RoutingKey
	}
	if cc, ok := m.Headers["CC"]; ok { // else it would be routed by it again
		m.Headers["x-original-cc"] = cc
		delete(m.Headers, "CC")
	}
	visits, rest := int64(0), []any{}
	for _, w := range way {
		t, _ := w.(amqp.Table)
		if t["uri"] == e.far.URI.String() && t["queue"] == p.name {
			visits, _ = t["visit-count"].(int64)
			continue
		}
		rest = append(rest, w)
	}
	m.Headers[headerReceived] = append([]any{amqp.Table{
		"uri": e.far.URI.String(), "queue": p.name, "redelivered": d.Redelivered,
		"visit-count": visits + 1,
	}}, rest...)
	return m, true
}

// copied carries over the properties, with headers of its own.
func (e *ends) copied(d *amqp.Delivery) amqp.Publishing {
	m := amqp.Publishing{
		Headers: amqp.Table{}, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
		ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId,
		Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId, Body: d.Body,
	}
	for k, v := range d.Headers {
		m.Headers[k] = v
	}
	if e.plan.upstream.trustUserID {
		m.UserId = d.UserId
	}
	return m
}
