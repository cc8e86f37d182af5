package wire_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"reflect"
	"testing"
	"time"

	"coffer/internal/protocol/amqp091/wire"

	amqp "github.com/rabbitmq/amqp091-go"
)

// clientHeaders has a field of every type that the client can write, and
// coderHeaders the same as this package has it.
func clientHeaders() amqp.Table {
	return amqp.Table{
		"bool": true, "int8": int8(-1), "uint8": byte(1), "int16": int16(-2), "uint16": uint16(2),
		"int32": int32(-3), "uint32": uint32(3), "int64": int64(math.MinInt64),
		"float32": float32(1.5), "float64": 0.1, "decimal": amqp.Decimal{Scale: 2, Value: 314},
		"string": "é", "bytes": []byte{0, 1}, "time": time.Unix(1700000000, 0), "void": nil,
		"table": amqp.Table{"a": "b"}, "array": []any{"x", int32(1), nil},
	}
}

func coderHeaders() map[string]wire.Value {
	array := wire.ArrayValue(wire.StringValue("x"), wire.Int32Value(1), wire.Value{})
	return map[string]wire.Value{
		"bool": wire.BoolValue(true), "int8": wire.Int8Value(-1), "uint8": wire.Uint8Value(1),
		"int16": wire.Int16Value(-2), "uint16": wire.Uint16Value(2), "int32": wire.Int32Value(-3),
		"uint32": wire.Uint32Value(3), "int64": wire.Int64Value(math.MinInt64),
		"float32": wire.Float32Value(1.5), "float64": wire.Float64Value(0.1),
		"decimal": wire.DecimalValue(2, 314), "string": wire.StringValue("é"),
		"bytes": wire.BytesValue([]byte{0, 1}), "time": wire.TimestampValue(1700000000),
		"void": {}, "array": array,
		"table": wire.TableValue(wire.Table{{Name: "a", Value: wire.StringValue("b")}}),
	}
}

func publishing(body []byte) amqp.Publishing {
	return amqp.Publishing{
		Headers: clientHeaders(), ContentType: "text/plain", ContentEncoding: "gzip",
		DeliveryMode: 2, Priority: 9, CorrelationId: "cor", ReplyTo: "rep", Expiration: "60000",
		MessageId: "mid", Timestamp: time.Unix(1700000000, 0), Type: "typ", UserId: "guest",
		AppId: "app", Body: body,
	}
}

// A conversation with RabbitMQ's own Go client over a pipe: both sides must
// understand every octet of the other.
func TestClientConversation(t *testing.T) {
	conn := connect(t)
	if p := conn.Properties["product"]; p != "Coffer" {
		t.Errorf("server properties: %v", conn.Properties)
	}
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	ch, err := conn.Channel()
	check(t, err)
	if b := <-blocked; !b.Active || b.Reason != "low on disk" {
		t.Errorf("blocked: %+v", b)
	}
	if b := <-blocked; b.Active {
		t.Errorf("unblocked: %+v", b)
	}
	topology(t, ch)
	messages(t, ch)

	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	_, err = ch.QueueDeclarePassive("absent", true, false, false, false, nil)
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok || e.Code != 404 || e.Reason != "NOT_FOUND - no queue 'absent' in vhost '/'" {
		t.Errorf("declare of an absent queue: %v", err)
	}
	<-closed
	check(t, conn.UpdateSecret("new", "expired"))
	check(t, conn.Close())
}

func connect(t *testing.T) *amqp.Connection {
	t.Helper()
	near, far := net.Pipe()
	s := &server{t: t, conn: far}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	t.Cleanup(func() {
		_ = near.Close()
		<-done
	})
	conn, err := amqp.Open(near, amqp.Config{
		SASL:  []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "secret"}},
		Vhost: "/", Locale: "en_US", FrameSize: 131072, Heartbeat: time.Hour,
	})
	check(t, err)
	return conn
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func topology(t *testing.T, ch *amqp.Channel) {
	t.Helper()
	args := amqp.Table{"x-max-length": int64(10)}
	check(t, ch.ExchangeDeclare("ex", "topic", true, false, true, false, args))
	check(t, ch.ExchangeBind("ex", "k", "amq.topic", false, args))
	check(t, ch.ExchangeUnbind("ex", "k", "amq.topic", false, args))
	q, err := ch.QueueDeclare("q", true, false, true, false, args)
	if err != nil || q != (amqp.Queue{Name: "q", Messages: 3, Consumers: math.MaxUint32}) {
		t.Errorf("declared %+v, %v", q, err)
	}
	check(t, ch.QueueBind("q", "k", "ex", false, nil))
	check(t, ch.QueueUnbind("q", "k", "ex", nil))
	if n, err := ch.QueuePurge("q", false); err != nil || n != 4 {
		t.Errorf("purged %d, %v", n, err)
	}
	if n, err := ch.QueueDelete("q", true, true, false); err != nil || n != 5 {
		t.Errorf("deleted %d, %v", n, err)
	}
	check(t, ch.ExchangeDelete("ex", true, false))
	check(t, ch.Qos(7, 0, true))
	check(t, ch.Flow(true))
	check(t, ch.Tx())
	check(t, ch.TxCommit())
	check(t, ch.TxRollback())
	check(t, ch.Confirm(false))
}

// messages publishes, gets returned, gets, consumes and settles.
func messages(t *testing.T, ch *amqp.Channel) {
	t.Helper()
	ctx, body := context.Background(), bytes.Repeat([]byte("0123456789"), 30000)
	c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "ex", "k", true, false,
		publishing(body))
	check(t, err)
	if ok, err := c.WaitContext(ctx); err != nil || !ok {
		t.Errorf("confirm: %v, %v", ok, err)
	}
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	c, err = ch.PublishWithDeferredConfirmWithContext(ctx, "", "nowhere", true, false,
		amqp.Publishing{})
	check(t, err)
	if ok, err := c.WaitContext(ctx); err != nil || ok {
		t.Errorf("nack: %v, %v", ok, err)
	}
	r := <-returns
	if r.ReplyCode != 312 || r.ReplyText != "NO_ROUTE" || r.RoutingKey != "nowhere" {
		t.Errorf("returned %+v", r)
	}
	got, ok, err := ch.Get("q", false)
	if err != nil || !ok || got.DeliveryTag != 8 || got.MessageCount != 6 || !got.Redelivered {
		t.Errorf("get: %+v, %v, %v", got.MessageCount, ok, err)
	}
	same(t, got, body)
	if _, ok, err = ch.Get("empty", true); ok || err != nil {
		t.Errorf("get of an empty queue: %v, %v", ok, err)
	}
	cancels := ch.NotifyCancel(make(chan string, 1))
	in, err := ch.Consume("q", "tag", false, true, false, false, amqp.Table{"x-priority": 1})
	check(t, err)
	d := <-in
	if d.ConsumerTag != "tag" || d.DeliveryTag != 9 || d.Exchange != "ex" || d.RoutingKey != "k" {
		t.Errorf("delivered %s %d %s %s", d.ConsumerTag, d.DeliveryTag, d.Exchange, d.RoutingKey)
	}
	same(t, d, body)
	check(t, d.Ack(true))
	check(t, d.Nack(true, true))
	check(t, d.Reject(false))
	check(t, ch.Recover(true))
	if tag := <-cancels; tag != "tag" {
		t.Errorf("cancelled %q", tag)
	}
	check(t, ch.Cancel("tag", false))
}

// same compares what the client got with what it published.
func same(t *testing.T, got amqp.Delivery, body []byte) {
	t.Helper()
	back := amqp.Publishing{
		Headers: got.Headers, ContentType: got.ContentType, ContentEncoding: got.ContentEncoding,
		DeliveryMode: got.DeliveryMode, Priority: got.Priority, CorrelationId: got.CorrelationId,
		ReplyTo: got.ReplyTo, Expiration: got.Expiration, MessageId: got.MessageId,
		Timestamp: got.Timestamp, Type: got.Type, UserId: got.UserId, AppId: got.AppId,
		Body: got.Body,
	}
	want := publishing(body)
	for _, h := range []*amqp.Table{&back.Headers, &want.Headers} {
		at, ok := (*h)["time"].(time.Time)
		(*h)["time"] = ok && at.Unix() == 1700000000
	}
	if !back.Timestamp.Equal(want.Timestamp) {
		t.Errorf("timestamp %v", back.Timestamp)
	}
	back.Timestamp = want.Timestamp
	if !reflect.DeepEqual(back, want) {
		back.Body, want.Body = nil, nil
		t.Errorf("got %+v\nwant %+v", back, want)
	}
}
