package shovel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq/rabbittest"
)

// TestWrongEnds: each is terminated with what is wrong, tried again, and tells nobody the
// password.
func TestWrongEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	addr := strings.Split(strings.Split(w.uri, "@")[1], "?")[0]
	const closed = "127.0.0.1:1" // nobody gets it by chance
	empty := filepath.Join(t.TempDir(), "secret-empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const user = rabbittest.User
	right := user + ":" + rabbittest.Escaped + "@" + addr
	for name, c := range map[string]struct{ uri, reason string }{
		"host": {"amqps://u:secret@nowhere.invalid/", "unknown host"},
		"port": {"amqps://u:secret@" + closed + "/%2f", "ECONNREFUSED"},
		"password": {"amqps://" + user + ":secret@" + addr + "?cacertfile=" + w.ca,
			"ACCESS_REFUSED"},
		"authority": {"amqps://" + right, "certificate was not accepted: x509: certificate " +
			"signed by unknown authority"},
		"name": {"amqps://" + right + "?server_name_indication=other&cacertfile=" + w.ca,
			"certificate was not accepted"},
		"ca file": {"amqps://" + right + "?cacertfile=/secret/none.pem",
			"cacertfile: no such file or directory"},
		"ca empty": {"amqps://" + right + "?cacertfile=" + empty, "it holds no certificate"},
		"key file": {"amqps://" + right + "?certfile=/secret/none.pem&keyfile=/secret/none" +
			"&cacertfile=" + w.ca, "certfile and keyfile: no such file"},
		"vhost":  {"amqps://" + right + "/none?cacertfile=" + w.ca, "vhost none not found"},
		"here":   {"amqp:///none", "vhost none not found"},
		"nobody": {"amqps://" + addr + "?cacertfile=" + w.ca, "ACCESS_REFUSED"},
	} {
		w.put(name, object{
			"src-uri": c.uri, "src-queue": "q", "dest-uri": "amqp://", "dest-queue": "d",
		})
		w.put(name+" as target", object{
			"src-uri": "amqp://", "src-queue": "s", "dest-uri": []string{c.uri}, "dest-queue": "d",
		})
		w.awaitState(name, Terminated, "source: ")
		w.awaitState(name, Terminated, c.reason)
		w.awaitState(name+" as target", Terminated, c.reason)
	}
	text := fmt.Sprintf("%s %+v", w.log.String(), w.set.List())
	for _, s := range w.set.List() {
		b, err := s.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	for _, secret := range []string{"secret", rabbittest.Password, rabbittest.Escaped} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%q is shown: %s", secret, text[max(0, i-200):i+50])
		}
	}
}

// TestMissingQueue: a queue that has to be there is waited for; one that need not is
// declared; one that is deleted is declared again.
func TestMissingQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("s", object{
		"src-uri": "amqp://", "src-queue": "q", "src-predeclared": true,
		"dest-uri": w.uri, "dest-queue": "d", "dest-predeclared": true,
	})
	w.awaitState("s", Terminated, "destination: 404 NOT_FOUND - no queue 'd' in vhost '/'")
	there := w.other()
	there.queue("d", nil)
	w.awaitState("s", Terminated, "source: 404 NOT_FOUND - no queue 'q' in vhost '/'")
	here := w.near()
	here.queue("q", nil)
	w.awaitState("s", Running, "")

	w.put("s", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "made",
		"dest-queue-args": object{"x-queue-type": "quorum", "x-max-length": 1000},
	})
	await(t, "the second definition", func() bool {
		s, _ := w.status("s")
		return s.State == Running && *s.Destination.Queue == "made"
	})
	if _, err := there.QueueDelete("made", false, false, false); err != nil {
		t.Fatal(err)
	}
	here.text("q", 0, 50) // they cannot be routed, and so are not settled
	await(t, "the queue to be declared again", func() bool {
		ch := client{t, w.there.Channel("/")}
		_, err := ch.QueueDeclarePassive("made", true, false, false, false, nil)
		return err == nil
	})
	there.distinct("made", 50)
	if _, err := here.QueueDelete("q", false, false, false); err != nil {
		t.Fatal(err)
	}
	await(t, "the source to be declared again", func() bool {
		ch := client{t, w.here.Channel("/")}
		q, err := ch.QueueDeclarePassive("q", true, false, false, false, nil)
		return err == nil && q.Consumers == 1
	})
	w.put("x", object{
		"src-uri": "amqp://", "src-exchange": "nowhere", "dest-uri": w.uri,
	})
	w.awaitState("x", Terminated, "no exchange 'nowhere' in vhost '/'")
}

// TestRefusedGoesBack: what the destination does not take is kept at the source, and
// moved when there is room.
func TestRefusedGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.near(), w.other()
	there.queue("d", amqp.Table{"x-max-length": int32(5), "x-overflow": "reject-publish"})
	here.queue("q", nil)
	here.text("q", 0, 20)
	w.put("s", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "d",
		"src-delete-after": 20,
	})
	await(t, "a full destination", func() bool { return there.count("d") == 5 },
		func() string { return fmt.Sprint(there.count("d"), w.set.List(), w.log.String()) })
	there.distinct("d", 20)
	w.awaitGone("s")
	if n := here.count("q"); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// TestNothingIsLost while connections are cut again and again, at either end.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here := w.near()
	here.queue("q", nil)
	w.put("out", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "far",
		"src-prefetch-count": 20,
	})
	w.put("back", object{
		"src-uri": w.uri, "src-queue": "far", "dest-uri": "amqp://", "dest-queue": "end",
		"src-prefetch-count": 0,
	})
	const n = 1500
	for i := range 10 {
		here = client{t, w.here.Channel("/")}
		here.text("q", i*n/10, (i+1)*n/10)
		if i%2 == 0 {
			w.there.Cut()
		} else {
			w.here.Cut()
		}
	}
	here = client{t, w.here.Channel("/")}
	await(t, "the last queue", func() bool {
		_, err := client{t, w.here.Channel("/")}.QueueDeclarePassive("end", true, false, false,
			false, nil)
		return err == nil
	})
	here.distinct("end", n)
}

// TestLockedKey: while the key cannot be used nothing moves and nothing is lost.
func TestLockedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.near(), w.other()
	here.queue("q", nil)
	here.text("q", 0, 10)
	lift := w.here.Ring.Fence(w.here.Domain.Key(), fault.New(fault.KeyUnavailable, "gone"))
	w.put("s", object{
		"src-uri": "amqp://", "src-queue": "q", "dest-uri": w.uri, "dest-queue": "d",
	})
	w.awaitState("s", Running, "")
	w.put("in", object{
		"src-uri": w.uri, "src-queue": "e", "dest-uri": "amqp://", "dest-queue": "f",
	})
	w.awaitState("in", Running, "")
	there.text("e", 0, 10)
	await(t, "refusals", func() bool { // it runs, and what is refused goes back
		s, _ := w.status("in")
		return s.Forwarded > 10
	})
	lift()
	if err := w.here.Domain.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	there.take("d", 10)
	here.distinct("f", 10)
}

// TestToItself: a shovel from a queue to itself ends where it has an end, and can be
// removed where it has none.
func TestToItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here := w.near()
	here.queue("q", nil)
	here.text("q", 0, 10)
	self := object{"src-uri": "amqp://", "src-queue": "q", "dest-uri": "amqp://", "dest-queue": "q"}
	w.put("endless", self)
	await(t, "many turns", func() bool {
		s, _ := w.status("endless")
		return s.Forwarded > 200
	})
	w.remove("endless")
	w.awaitGone("endless")
	await(t, "all to be back", func() bool { return here.count("q") >= 10 })
	self["src-delete-after"] = "queue-length"
	w.put("once", self)
	w.awaitGone("once")
	here.distinct("q", 10)
}
