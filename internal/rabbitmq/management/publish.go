package management

import (
	"encoding/base64"
	"net/http"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publish answers POST /api/exchanges/{vhost}/{exchange}/publish: the message is
// confirmed, and the answer tells whether a queue took it.
func publish(c *call) error {
	body, err := c.largeBody()
	if err != nil {
		return err
	}
	err = need(body, "routing_key", "properties", "payload", "payload_encoding")
	if err != nil {
		return err
	}
	key, err := word(body, "routing_key")
	if err != nil {
		return err
	}
	payload, err := payloadOf(body)
	if err != nil {
		return err
	}
	properties, err := inner(body, "properties")
	if err != nil {
		return err
	}
	m := amqp.Publishing{Body: payload}
	if err := setProperties(&m, properties); err != nil {
		return err
	}
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	defer cl.close()
	routed, err := cl.publish(c.exchangeName("exchange"), key, m)
	if ns, nsErr := c.namespace(); err != nil && nsErr == nil && ns.Locked() != nil {
		return ns.Locked() // the broker rejects whatever it cannot seal
	}
	if err != nil {
		return err
	}
	return c.answer.json(http.StatusOK, object{"routed": routed})
}

// publish sends one message and waits until it is safe.
func (cl *client) publish(exchange, key string, m amqp.Publishing) (routed bool, err error) {
	if err := cl.channel.Confirm(false); err != nil {
		return false, refused(err)
	}
	closed := cl.channel.NotifyClose(make(chan *amqp.Error, 1))
	returned := cl.channel.NotifyReturn(make(chan amqp.Return, 1))
	d, err := cl.channel.PublishWithDeferredConfirm(exchange, key, true, false, m)
	if err != nil {
		return false, refused(err)
	}
	select {
	case e := <-closed:
		return false, unpublished(e)
	case <-d.Done():
	}
	if !d.Acked() {
		select {
		case e := <-closed: // which gives up what is not confirmed
			return false, unpublished(e)
		default:
			return false, badRequest("rejected")
		}
	}
	select {
	case <-returned:
		return false, nil
	default:
		return true, nil
	}
}

// unpublished translates what closed the channel of a publish. RabbitMQ gives codes in
// the text here, and no 404.
func unpublished(e *amqp.Error) error {
	if e == nil {
		return badRequest("rejected")
	}
	if e.Code == amqp.NotFound {
		return badRequest("404 " + e.Reason)
	}
	return refused(e)
}

// payloadOf reads the payload in its encoding.
func payloadOf(body object) ([]byte, error) {
	text, err := word(body, "payload")
	if err != nil {
		return nil, err
	}
	switch encoding := body["payload_encoding"]; encoding {
	case "string":
		return []byte(text), nil
	case "base64":
		payload, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, badRequest([]any{"not_base64", text[:min(len(text), 64)]})
		}
		return payload, nil
	default:
		return nil, badRequest([]any{"unsupported_encoding", encoding})
	}
}

// setProperties reads the basic properties. Unknown ones are ignored, as in RabbitMQ.
func setProperties(m *amqp.Publishing, p object) error {
	for name, to := range map[string]*string{
		"content_type": &m.ContentType, "content_encoding": &m.ContentEncoding,
		"correlation_id": &m.CorrelationId, "reply_to": &m.ReplyTo, "expiration": &m.Expiration,
		"message_id": &m.MessageId, "type": &m.Type, "user_id": &m.UserId, "app_id": &m.AppId,
	} {
		v, given := p[name]
		if !given {
			continue
		}
		text, ok := v.(string)
		if !ok || len(text) > 255 {
			return badRequest([]any{"not_string", name})
		}
		*to = text
	}
	for name, to := range map[string]*uint8{
		"delivery_mode": &m.DeliveryMode, "priority": &m.Priority,
	} {
		v, given := p[name]
		if !given {
			continue
		}
		n, ok := v.(int64)
		if !ok || n < 0 || n > 255 {
			return badRequest([]any{"not_int", name})
		}
		*to = uint8(n)
	}
	if v, given := p["timestamp"]; given {
		n, ok := v.(int64)
		if !ok || n < 0 {
			return badRequest([]any{"not_int", "timestamp"})
		}
		m.Timestamp = time.Unix(n, 0)
	}
	headers, err := inner(p, "headers")
	if err == nil && len(headers) > 0 {
		m.Headers = table(headers)
	}
	return err
}
