package shovel

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// TestActsForItsUser: a shovel on this broker may do what the user may who set it, and
// no more; only a password speaks for another.
func TestActsForItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	near := w.near()
	near.queue("open", nil)
	near.queue("secret", nil)
	near.queue("mine", nil)
	_, err := w.here.PutUser(ctx, rabbitmq.UserSpec{
		Name: "maker", Password: []byte("maker's"), Tags: []string{"policymaker"},
	})
	near.must(err)
	_, err = w.here.PutPermission(ctx, rabbitmq.Permission{
		User: "maker", Vhost: "/", Configure: "^$", Write: "^(mine|amq.default)$", Read: "^open$",
	})
	near.must(err)
	near.send("", "open", amqp.Publishing{Body: []byte("for all")})
	near.send("", "secret", amqp.Publishing{Body: []byte("for few")})

	put := func(name, uri, from string) error {
		_, err := w.here.PutParameter(ctx, rabbitmq.Parameter{
			Component: Component, Vhost: "/", Name: name, By: "maker",
			Value: definitionOf(object{
				"src-uri": uri, "src-queue": from, "src-predeclared": true,
				"dest-uri": "amqp://", "dest-queue": "mine", "dest-predeclared": true,
			}),
		})
		return err
	}
	near.must(put("reads", "amqp://", "secret"))
	w.awaitState("reads", Terminated, "access to queue 'secret' in vhost '/' refused")
	near.must(put("named", "amqp://maker@", "open"))
	if got := near.take("mine", 1)[0]; string(got.Body) != "for all" {
		t.Errorf("%q came", got.Body)
	}
	err = put("another", "amqp://admin@", "open")
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "another user") {
		t.Errorf("a shovel in the name of another user: %v", err)
	}
	if n := near.count("secret"); n != 1 {
		t.Errorf("%d messages are in the queue that was not to be read", n)
	}
}

// TestCarriesUserIDs: an administrator's shovel brings messages here with the names of
// those who wrote them; one of anybody else is held to its own.
func TestCarriesUserIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.here.PutUser(ctx, rabbitmq.UserSpec{
		Name: "maker", Password: []byte("maker's"), Tags: []string{"policymaker"},
	})
	near, there := w.near(), w.other()
	near.must(err)
	_, err = w.here.PutPermission(ctx, rabbitmq.Permission{
		User: "maker", Vhost: "/", Configure: ".*", Write: ".*", Read: ".*",
	})
	near.must(err)
	for _, by := range []string{"admin", "maker"} {
		there.queue("from "+by, nil)
		near.queue("to "+by, nil)
		there.send("", "from "+by, amqp.Publishing{UserId: "somebody"})
		_, err := w.here.PutParameter(ctx, rabbitmq.Parameter{
			Component: Component, Vhost: "/", Name: by, By: by, Value: definitionOf(object{
				"src-uri": w.uri, "src-queue": "from " + by, "dest-uri": "amqp://",
				"dest-queue": "to " + by,
			}),
		})
		near.must(err)
	}
	w.awaitState("maker", Terminated, "406 PRECONDITION_FAILED")
	if m := near.take("to admin", 1)[0]; m.UserId != "somebody" {
		t.Errorf("%+v", m)
	}
}
