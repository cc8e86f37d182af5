package shovel

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/rabbittest"
)

type object = map[string]any

// TestThereAndBack carries messages with all their properties to another broker over TLS,
// and back into an exchange here.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here := w.near()
	here.queue("back", nil)
	here.must(here.QueueBind("back", "home.#", "amq.topic", false, nil))
	w.put("out", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "far",
		"dest-add-forward-headers": true, "dest-add-timestamp-header": true,
		"dest-publish-properties": object{
			"type": "moved", "priority": 3, "user_id": rabbittest.User, // else it is refused
		},
	})
	w.put("in", object{
		"src-uri": []string{w.uri}, "src-queue": "far", "dest-uri": "amqp:///%2f",
		"dest-exchange": "amq.topic", "dest-exchange-key": "home.coming",
	})
	w.awaitState("out", Running, "")
	sent := amqp.Publishing{
		Headers: amqp.Table{
			"text": "é", "n": int64(-5), "small": int16(3), "list": []any{"a", int32(1)},
			"t": amqp.Table{"x": true}, "void": nil, "when": time.Unix(1700000000, 0),
			"d": amqp.Decimal{Scale: 2, Value: 314}, "u": uint32(7), "bytes": []byte{1, 2},
		},
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
		CorrelationId: "c", ReplyTo: "r", MessageId: "m", Expiration: "3600000",
		Timestamp: time.Unix(1700000001, 0), UserId: "somebody", AppId: "a",
		Body: []byte(strings.Repeat("0123456789", 30_000)),
	}
	here.send("", "q", sent)
	got := here.take("back", 1)[0]
	way, _ := got.Headers[headerShovelled].([]any)
	if len(way) != 1 || got.Headers[headerTimestamp] == nil || got.RoutingKey != "home.coming" {
		t.Fatalf("%+v", got)
	}
	want := amqp.Table{
		"shovelled-by": "here", "shovel-type": "dynamic", "shovel-name": "out",
		"shovel-vhost": "/", "src-uri": "amqp://", "src-queue": "q", "dest-queue": "far",
		"dest-uri": strings.Replace(w.uri[:strings.Index(w.uri, "?")],
			rabbittest.User+":"+rabbittest.Escaped+"@", "", 1),
	}
	if !reflect.DeepEqual(way[0], want) {
		t.Errorf("%+v, want %+v", way[0], want)
	}
	delete(got.Headers, headerShovelled)
	delete(got.Headers, headerTimestamp)
	sent.Type, sent.Priority, sent.UserId = "moved", 3, rabbittest.User
	if back := copied(&got); !reflect.DeepEqual(back, sent) {
		t.Errorf("%+v, want %+v", back, sent)
	}
	w.remove("out")
	w.remove("in")
	w.awaitGone("in")
}

// TestExchangeAsSource moves what an exchange gets, with its keys, to an exchange of the
// same name.
func TestExchangeAsSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := w.other()
	there.queue("all", nil)
	there.must(there.QueueBind("all", "#", "amq.topic", false, nil))
	w.put("x", object{
		"src-uri": "amqp://", "src-exchange": "amq.topic", "src-exchange-key": "a.*",
		"dest-uri": w.uri, "ack-mode": "on-publish",
	})
	w.awaitState("x", Running, "")
	here := w.near()
	for _, key := range []string{"b.1", "a.1", "a.2"} {
		here.send("amq.topic", key, amqp.Publishing{})
	}
	for i, m := range there.take("all", 2) {
		if m.RoutingKey != fmt.Sprint("a.", i+1) || m.Exchange != "amq.topic" {
			t.Errorf("%+v", m)
		}
	}
}

// TestDeletesItself: after so many messages, or as many as there were.
func TestDeletesItself(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"on-confirm", "on-publish"} {
		w := newWorld(t)
		here, there := w.near(), w.other()
		here.queue("q", nil)
		here.text("q", 0, 20)
		w.put("some", object{
			"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "far",
			"src-delete-after": 7, "ack-mode": mode, "src-prefetch-count": 3,
		})
		w.awaitGone("some")
		await(t, "the rest to be back", func() bool { return here.count("q") == 13 })
		w.put("all", object{
			"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "far",
			"src-delete-after": "queue-length", "ack-mode": mode,
		})
		w.awaitGone("all")
		for i, m := range there.take("far", 20) {
			if string(m.Body) != fmt.Sprint(i) {
				t.Errorf("%s at %d", m.Body, i)
			}
		}
		w.put("none", object{
			"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "far",
			"delete-after": "queue-length",
		})
		w.awaitGone("none")
	}
}

// TestNoAck loses the safety, not the messages of a quiet day.
func TestNoAck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.near(), w.other()
	here.queue("q", nil)
	here.text("q", 0, 30)
	w.put("s", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "far",
		"ack-mode": "no-ack", "src-prefetch-count": 4,
	})
	w.awaitState("s", Running, "")
	there.take("far", 30)
}

// TestFollowsItsParameter: a change starts it anew, a restart too; deletion ends it.
func TestFollowsItsParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.near(), w.other()
	one := object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "one",
	}
	w.put("s", one)
	w.awaitState("s", Running, "")
	here.text("q", 0, 3)
	there.take("one", 3)
	w.put("s", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "two",
		"src-consumer-args": object{"x-priority": 5},
	})
	await(t, "the new destination", func() bool {
		s, ok := w.status("s")
		return ok && s.State == Running && *s.Destination.Queue == "two"
	})
	here.text("q", 3, 6)
	there.take("two", 3)
	before, _ := w.status("s")
	if err := w.set.Restart("/", "s"); err != nil {
		t.Fatal(err)
	}
	await(t, "a restart", func() bool {
		s, ok := w.status("s")
		return ok && s.State == Running && s.Since.After(before.Since)
	})
	if err := w.set.Restart("/", "nobody"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	w.set.Close()
	w.run() // as after a restart of the process
	w.awaitState("s", Running, "")
	w.end("s")
	await(t, "the consumer to be gone", func() bool {
		q, err := here.QueueDeclarePassive("q", true, false, false, false, nil)
		return err == nil && q.Consumers == 0
	})
	here.text("q", 6, 7)
	if n := here.count("q"); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestAsUser: a URI that names a user acts as that user, without a password too, as in
// RabbitMQ, and with a wrong one not at all.
func TestAsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.here.PutUser(ctx, rabbitmq.UserSpec{Name: "ann", Password: []byte("secret-ann")})
	if err == nil {
		_, err = w.here.PutPermission(ctx, rabbitmq.Permission{
			User: "ann", Vhost: "/", Configure: "^ann-", Write: ".*", Read: "^ann-",
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	try := func(name, uri, queue string) {
		w.put(name, object{
			"src-uri": uri, "src-queue": queue, "dest-uri": w.uri, "dest-queue": "far",
		})
	}
	try("fine", "amqp://ann@", "ann-q")
	try("signed", "amqp://ann:secret-ann@/%2f", "ann-q")
	try("denied", "amqp://ann@", "q")
	try("wrong", "amqp://ann:secret-bob@", "ann-q")
	try("unknown", "amqp://nobody@", "ann-q")
	w.awaitState("fine", Running, "")
	w.awaitState("signed", Running, "")
	w.awaitState("denied", Terminated, "403 ACCESS_REFUSED")
	w.awaitState("wrong", Terminated, "ACCESS_REFUSED")
	w.awaitState("unknown", Terminated, "refused for user 'nobody'")
	if text := w.log.String(); strings.Contains(text, "secret-") {
		t.Error(text)
	}
}
