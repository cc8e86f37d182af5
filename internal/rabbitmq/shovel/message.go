package shovel

import (
	"encoding/json"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq/relay"
)

// Headers that tell of the way.
const (
	headerShovelled = "x-shovelled"
	headerTimestamp = "x-shovelled-timestamp"
)

// shovelled is what the first header tells of a shovel.
type shovelled struct{ by, name, vhost, source, destination string }

// maker gives what makes messages of deliveries.
func (d *destination) maker(s *source, way shovelled) func(*amqp.Delivery) (relay.Message, bool) {
	entry := d.entry(s, way)
	return func(from *amqp.Delivery) (relay.Message, bool) {
		m := relay.Message{Exchange: from.Exchange, Key: from.RoutingKey, Publishing: copied(from)}
		if d.exchange != nil {
			m.Exchange = *d.exchange
		}
		if d.key != nil {
			m.Key = *d.key
		}
		if d.queue != nil {
			m.Exchange, m.Key, m.Mandatory = "", *d.queue, true
		}
		for k, v := range d.properties {
			set(&m.Publishing, k, v)
		}
		if (d.forwardHeaders || d.timestamp) && m.Headers == nil {
			m.Headers = amqp.Table{}
		}
		if d.forwardHeaders {
			before, _ := m.Headers[headerShovelled].([]any)
			m.Headers[headerShovelled] = append([]any{entry}, before...)
		}
		if d.timestamp {
			m.Headers[headerTimestamp] = time.Now().Unix()
		}
		return m, true
	}
}

// entry tells of the shovel in the header of a message.
func (d *destination) entry(s *source, way shovelled) amqp.Table {
	t := amqp.Table{
		"shovelled-by": way.by, "shovel-type": "dynamic", "shovel-name": way.name,
		"shovel-vhost": way.vhost, "src-uri": way.source, "dest-uri": way.destination,
	}
	for prefix, p := range map[string]Place{"src-": s.place(), "dest-": d.place()} {
		for k, v := range map[string]*string{
			"queue": p.Queue, "exchange": p.Exchange, "exchange-key": p.Key,
		} {
			if v != nil {
				t[prefix+k] = *v
			}
		}
	}
	return t
}

// copied carries over all properties that the library knows.
func copied(d *amqp.Delivery) amqp.Publishing {
	return amqp.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
		ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId,
		Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
}

// set overwrites one property. Numbers out of bounds are cut to them.
func set(p *amqp.Publishing, key string, value any) {
	s, _ := value.(string)
	n := int64(0)
	if v, ok := value.(json.Number); ok {
		n, _ = v.Int64()
	}
	switch key {
	case "content_type":
		p.ContentType = s
	case "content_encoding":
		p.ContentEncoding = s
	case "delivery_mode":
		p.DeliveryMode = uint8(min(max(n, 0), 255))
	case "priority":
		p.Priority = uint8(min(max(n, 0), 255))
	case "correlation_id":
		p.CorrelationId = s
	case "reply_to":
		p.ReplyTo = s
	case "expiration":
		p.Expiration = s
	case "message_id":
		p.MessageId = s
	case "timestamp":
		p.Timestamp = time.Unix(max(n, 0), 0)
	case "type":
		p.Type = s
	case "user_id":
		p.UserId = s
	case "app_id":
		p.AppId = s
	}
}
