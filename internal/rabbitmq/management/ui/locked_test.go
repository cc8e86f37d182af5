package ui

import (
	"testing"

	"coffer/internal/fault"
)

// TestLocked: while the key of the broker cannot be used, every page says so and goes on,
// and what needs the key is refused.
func TestLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	const banner = "The key of this broker cannot be used."
	s := b.form("/queues", "vhost", "/", "queue", "q")
	s.shows(t, 200, "is declared")
	s.hides(t, banner)
	b.form("/publish", "vhost", "/", "queue", "q", "payload", "m").shows(t, 200, "is published")
	lift := w.broker.Ring.Fence("key", fault.New(fault.KeyUnavailable, "the key is away"))
	for _, path := range []string{"/", "/queues", "/connections", "/users", "/definitions"} {
		b.get(path).shows(t, 200, banner)
	}
	b.get("/queue", "vhost", "/", "queue", "q").shows(t, 200, banner, "Get messages")
	b.form("/publish", "vhost", "/", "queue", "q", "payload", "kept in the form").
		shows(t, 503, banner, "the key is away", "kept in the form")
	b.form("/queue/get", "vhost", "/", "queue", "q", "count", "1", "ackmode",
		"ack_requeue_false", "encoding", "auto").shows(t, 503, banner)
	b.form("/vhosts", "vhost", "other", "type", "classic").shows(t, 200, "is saved", banner)
	other := w.browser()
	other.signIn("admin", "wrong").shows(t, 401)
	lift()
	must(t, w.broker.Domain.Refresh(t.Context()))
	s = b.form("/queue/get", "vhost", "/", "queue", "q", "count", "1", "ackmode",
		"ack_requeue_false", "encoding", "auto")
	s.shows(t, 200, "<pre")
	s.hides(t, banner)
}
