package ui

import (
	"strings"
	"testing"
)

// TestQueue goes the whole way of a queue: declare, publish, get, purge, bind, delete.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	b.get("/queues").shows(t, 200, "There are no queues.", "Add a new queue")
	const q = "orders & more"
	s := b.form("/queues", "vhost", "/", "queue", q, "durable", "true",
		"arguments", "x-max-length = 10\nx-overflow = reject-publish\n")
	s.shows(t, 200, "is declared", "x-max-length", "10", "reject-publish", "orders &amp; more")
	b.get("/queues").shows(t, 200, `href="/queue?queue=orders&#43;%26&#43;more&amp;vhost=%2F"`)
	for _, payload := range []string{"first", `{"a":[1]}`} {
		b.form("/publish", "vhost", "/", "queue", q, "payload", payload,
			"headers", "x = 1\ny = two", "properties", "content_type = text/plain\nmessage_id = 5",
			"delivery_mode", "2", "payload_encoding", "string").
			shows(t, 200, "The message is published.")
	}
	s = b.form("/queue/get", "vhost", "/", "queue", q, "count", "5",
		"ackmode", "ack_requeue_true", "encoding", "auto")
	s.shows(t, 200, "first", "&#34;a&#34;: [", "content_type", "message_id", "two",
		"(AMQP default)")
	if n := strings.Count(s.text, `<article class="message">`); n != 2 {
		t.Errorf("%d messages", n)
	}
	b.form("/bind", "vhost", "/", "queue", q, "source", "amq.topic", "destination", q,
		"routing_key", "a.#").shows(t, 200, "is bound to", "<code>a.#</code>")
	b.form("/unbind", "vhost", "/", "queue", q, "source", "amq.topic", "destination", q,
		"properties_key", "a.%23").shows(t, 200, "The binding is removed.")
	b.form("/queue/purge", "vhost", "/", "queue", q).shows(t, 200, "is purged")
	b.form("/queue/get", "vhost", "/", "queue", q, "count", "1",
		"ackmode", "ack_requeue_false", "encoding", "auto").shows(t, 200, "The queue is empty.")
	b.form("/queue/delete", "vhost", "/", "queue", q).shows(t, 200, "is deleted", "There are no")
	b.get("/queue", "vhost", "/", "queue", q).shows(t, 404, "There is no such thing")
}

// TestQueueRefused: what the broker refuses is said in its words, beside the form as it
// was sent.
func TestQueueRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	s := b.form("/queues", "vhost", "/", "queue", "q", "arguments", "x-message-ttl = -5")
	s.shows(t, 400, "invalid arg &#39;x-message-ttl&#39;", `value="q"`, "x-message-ttl = -5")
	b.form("/queues", "vhost", "/", "queue", "", "arguments", "").
		shows(t, 400, "A name is missing.")
	b.form("/queues", "vhost", "/", "queue", "q", "arguments", "no value").
		shows(t, 400, "name = value")
	b.form("/queues", "vhost", "/", "queue", "q", "arguments", "").shows(t, 200, "is declared")
	b.form("/queue/get", "vhost", "/", "queue", "q", "count", "1000", "ackmode",
		"ack_requeue_true", "encoding", "auto").shows(t, 400, "from 1 to 100")
	b.form("/publish", "vhost", "/", "queue", "q", "payload", "?", "payload_encoding", "base64").
		shows(t, 400, "not base64")
	b.form("/publish", "vhost", "/", "queue", "q", "payload", "\xff").shows(t, 400, "not UTF-8")
}

// TestQueueList: the list is filtered, sorted and in pages.
func TestQueueList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	for _, name := range []string{"a1", "a2", "a3", "b1"} {
		b.form("/queues", "vhost", "/", "queue", name).shows(t, 200, "is declared")
	}
	s := b.get("/queues", "name", "a", "page_size", "2", "sort", "name", "sort_reverse", "true")
	s.shows(t, 200, "3 of 4", "Page 1 of 2", "page=2", `aria-sort="descending"`, ">a3<", ">a2<")
	s.hides(t, ">a1<", ">b1<")
	b.get("/queues", "name", "a", "page_size", "2", "page", "2").
		shows(t, 200, ">a3<", `rel="prev"`)
	b.get("/queues", "name", "^b.$", "use_regex", "true").shows(t, 200, ">b1<", "1 of 4")
	b.get("/queues", "name", "(", "use_regex", "true").shows(t, 400, "Pagination parameters")
	b.get("/queues", "page", "9").shows(t, 400, "Page out of range")
	b.get("/queues", "vhost", "none").shows(t, 404, "There is no such thing")
}
