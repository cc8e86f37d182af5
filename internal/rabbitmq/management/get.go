package management

import (
	"encoding/base64"
	"net/http"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxGot bounds the octets of the messages of one answer; at it no more are got.
const maxGot = 32 << 20

// getting is what POST /api/queues/{vhost}/{queue}/get asks for.
type getting struct {
	count    int64
	keep     bool // the messages go back to the queue
	accept   bool // else they are rejected, and dead letters if there is where to
	base64   bool
	truncate int64 // octets; negative: whole
}

func readGetting(body object) (g getting, err error) {
	if err := need(body, "ackmode", "count", "encoding"); err != nil {
		return g, err
	}
	if g.count, err = integer(body, "count"); err != nil {
		return g, err
	}
	switch body["ackmode"] {
	case "ack_requeue_true", "reject_requeue_true":
		g.keep = true
	case "ack_requeue_false":
		g.accept = true
	case "reject_requeue_false":
	default:
		return g, badRequest([]any{"unsupported_ackmode", body["ackmode"]})
	}
	switch body["encoding"] {
	case "auto":
	case "base64":
		g.base64 = true
	default:
		return g, badRequest("Unsupported encoding. Please use auto or base64.")
	}
	g.truncate = -1
	if _, given := body["truncate"]; given {
		if g.truncate, err = integer(body, "truncate"); err != nil {
			return g, err
		}
	}
	return g, nil
}

// getMessages answers it. The messages are settled before they are shown.
func getMessages(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	g, err := readGetting(body)
	if err != nil {
		return err
	}
	cl, err := c.client(c.vars["vhost"])
	if err != nil {
		return err
	}
	list, err := cl.get(c.vars["queue"], &g)
	cl.close()
	if err != nil {
		return err
	}
	return c.answer.json(http.StatusOK, list)
}

func (cl *client) get(queue string, g *getting) ([]object, error) {
	list := []object{}
	var last *amqp.Delivery
	for size := 0; int64(len(list)) < g.count && size < maxGot; {
		d, ok, err := cl.channel.Get(queue, false)
		if err != nil {
			return nil, refused(err)
		}
		if !ok {
			break
		}
		list = append(list, g.shown(&d))
		size += len(d.Body)
		last = &d
	}
	if last == nil {
		return list, nil
	}
	if g.accept {
		return list, last.Ack(true)
	}
	return list, last.Nack(true, g.keep)
}

// shown gives the fields of a message.
func (g *getting) shown(d *amqp.Delivery) object {
	payload := d.Body
	if g.truncate >= 0 && int64(len(payload)) > g.truncate {
		payload = payload[:g.truncate]
	}
	o := object{
		"payload_bytes": len(d.Body), "redelivered": d.Redelivered, "exchange": d.Exchange,
		"routing_key": d.RoutingKey, "message_count": d.MessageCount,
		"payload": string(payload), "payload_encoding": "string",
	}
	if g.base64 || !utf8.Valid(payload) {
		o["payload"] = base64.StdEncoding.EncodeToString(payload)
		o["payload_encoding"] = "base64"
	}
	if p := properties(d); len(p) > 0 {
		o["properties"] = p
	} else {
		o["properties"] = []any{} // as Erlang writes an empty list
	}
	return o
}

// properties gives the basic properties that are set.
func properties(d *amqp.Delivery) object {
	p := object{}
	for name, text := range map[string]string{
		"content_type": d.ContentType, "content_encoding": d.ContentEncoding,
		"correlation_id": d.CorrelationId, "reply_to": d.ReplyTo, "expiration": d.Expiration,
		"message_id": d.MessageId, "type": d.Type, "user_id": d.UserId, "app_id": d.AppId,
	} {
		if text != "" {
			p[name] = text
		}
	}
	if d.DeliveryMode != 0 {
		p["delivery_mode"] = d.DeliveryMode
	}
	if d.Priority != 0 {
		p["priority"] = d.Priority
	}
	if !d.Timestamp.IsZero() {
		p["timestamp"] = d.Timestamp.Unix()
	}
	if d.Headers != nil {
		p["headers"] = plain(d.Headers)
	}
	return p
}

// plain makes JSON of a value of a header.
func plain(v any) any {
	switch v := v.(type) {
	case amqp.Table:
		o := object{}
		for k, x := range v {
			o[k] = plain(x)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = plain(x)
		}
		return list
	case []byte:
		return string(v)
	case time.Time:
		return v.Unix()
	case amqp.Decimal:
		f := float64(v.Value)
		for range v.Scale {
			f /= 10
		}
		return f
	case float32:
		return finite(float64(v))
	case float64:
		return finite(v)
	}
	return v
}

// finite keeps what JSON has no word for out of an answer.
func finite(f float64) any {
	if f-f != 0 {
		return "NaN"
	}
	return f
}
