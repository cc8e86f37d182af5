package story

import (
	"context"
	"testing"

	amqp10 "github.com/Azure/go-amqp"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// What one protocol sends the other receives: headers and application properties,
// identifiers, priorities and bodies.
func TestAMQPBothWays(t *testing.T) {
	s := start(t)
	ch := channel(t, s.Dial(s.Main()), true)
	declare(t, ch, "to10")
	declare(t, ch, "to091")
	err := ch.QueueBind("to091", "", "amq.headers", false, amqp.Table{
		"x-match": "all", "colour": "red",
	})
	if err != nil {
		t.Fatal(err)
	}
	l := session10(t, s.Dial10(s.Main()))
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()

	m := persistent("hello")
	m.Headers, m.MessageId, m.ContentType = amqp.Table{"n": int32(7)}, "id-1", "text/plain"
	m.ReplyTo, m.Priority = "answers", 4
	if !confirmed(t, publish(t, ch, "", "to10", m)) {
		t.Fatal("refused")
	}
	in := l.receiver("/queues/to10", 1)
	got := l.receive(in)
	p := got.Properties
	if string(got.GetData()) != "hello" || got.ApplicationProperties["n"] != int32(7) ||
		p.MessageID != "id-1" || *p.ContentType != "text/plain" ||
		*p.ReplyTo != "/queues/answers" || got.Header.Priority != 4 || !got.Header.Durable {
		t.Errorf("received %+v %+v %+v", got, got.Header, p)
	}
	if got.Annotations["x-routing-key"] != "to10" {
		t.Errorf("annotations %v", got.Annotations)
	}

	out := l.sender("/exchanges/amq.headers")
	subject, id := "ignored", "id-2"
	for _, colour := range []string{"blue", "red"} {
		err = out.Send(ctx, &amqp10.Message{
			Properties:            &amqp10.MessageProperties{Subject: &subject, MessageID: id},
			ApplicationProperties: map[string]any{"colour": colour},
			Data:                  [][]byte{[]byte(colour)},
		}, nil)
		if err != nil { // what has no route is released, which this client takes
			t.Fatal(err)
		}
	}
	d := kit.Receive(t, "a message", consume(t, ch, "to091", 1))
	if string(d.Body) != "red" || d.Headers["colour"] != "red" || d.MessageId != "id-2" ||
		d.DeliveryMode != amqp.Persistent || d.Exchange != "amq.headers" {
		t.Errorf("received %+v", d)
	}
}
