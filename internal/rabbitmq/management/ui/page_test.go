package ui

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq/rabbittest"
)

// connect is a client of the administrator, with a consumer of a queue.
func (w *world) connect(queue string) *amqp.Connection {
	w.t.Helper()
	raw, err := w.broker.EnterAsClient(w.t.Context())
	must(w.t, err)
	conn, err := amqp.Open(raw, amqp.Config{
		Vhost: "/", Locale: "en_US",
		SASL: []amqp.Authentication{
			&amqp.PlainAuth{Username: rabbittest.User, Password: rabbittest.Password},
		},
		Properties: amqp.Table{
			"connection_name": "<b>my</b> client", "product": "probe <i>", "version": "1.2",
		},
	})
	must(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	must(w.t, err)
	_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	must(w.t, err)
	_, err = ch.Consume(queue, "tag-<1>", false, false, false, false, nil)
	must(w.t, err)
	return conn
}

// TestLiving: who is connected is shown, and can be cut off.
func TestLiving(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	conn := w.connect("q")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	b := w.signedIn()
	name := w.broker.Server.Connections()[0].Name
	b.get("/connections").shows(t, 200, "&lt;b&gt;my&lt;/b&gt; client", "AMQP 0-9-1",
		"probe &lt;i&gt; 1.2", rabbittest.User)
	b.get("/connections", "vhost", "/").shows(t, 200, "my&lt;/b&gt; client")
	s := b.get("/connection", "name", name)
	s.shows(t, 200, "Client properties", "Force close", "PLAIN", "capabilities")
	harmless(t, s)
	channel := name + " (1)"
	b.get("/channels").shows(t, 200, "(1)</a>", rabbittest.User)
	b.get("/channels", "vhost", "/").shows(t, 200, "(1)</a>")
	b.get("/channel", "name", channel).shows(t, 200, "tag-&lt;1&gt;", "/queue?queue=q")
	b.get("/queue", "vhost", "/", "queue", "q").shows(t, 200, "tag-&lt;1&gt;", "(1)</a>")
	b.get("/").shows(t, 200, "Overview", "Listening ports", "15671", "Node", "No alarms")
	b.form("/connection/close", "name", name, "reason", "for a test").
		shows(t, 200, "is being closed")
	if e := <-closed; e == nil || !strings.Contains(e.Reason, "for a test") {
		t.Errorf("the client heard %v", e)
	}
	b.get("/connection", "name", "none").shows(t, 404)
	b.get("/channel", "name", "none").shows(t, 404)
}

// TestExchange: an exchange is made, bound, published to and deleted.
func TestExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	b.get("/exchanges").shows(t, 200, "(AMQP default)", "amq.topic", "x-consistent-hash")
	b.form("/queues", "vhost", "/", "queue", "q")
	const x = "a <topic>"
	b.form("/exchanges", "vhost", "/", "exchange", x, "type", "topic", "durable", "true",
		"arguments", "alternate-exchange = amq.fanout").
		shows(t, 200, "is declared", "alternate-exchange", "a &lt;topic&gt;")
	b.form("/exchanges", "vhost", "/", "exchange", x, "type", "fanout").
		shows(t, 400, "inequivalent arg", `value="a &lt;topic&gt;"`)
	b.form("/publish", "vhost", "/", "exchange", x, "routing_key", "k", "payload", "lost").
		shows(t, 200, "led to no queue")
	b.form("/bind", "vhost", "/", "exchange", x, "source", x, "destination_type", "queue",
		"destination", "q", "routing_key", "k.*", "arguments", "y = 1").
		shows(t, 200, "is bound", "k.*", "1 from, 0 to")
	b.form("/bind", "vhost", "/", "exchange", x, "source", x, "destination_type", "exchange",
		"destination", "amq.direct").shows(t, 200, "2 from, 0 to")
	b.get("/exchange", "vhost", "/", "exchange", "amq.direct").shows(t, 200, "0 from, 1 to")
	b.form("/bind", "vhost", "/", "exchange", x, "source", x, "destination_type", "queue",
		"destination", "none").shows(t, 404, "no queue &#39;none&#39;")
	b.form("/publish", "vhost", "/", "exchange", x, "routing_key", "k.1", "payload", "found").
		shows(t, 200, "The message is published.")
	s := b.get("/exchange", "vhost", "/", "exchange", x)
	for _, key := range propertiesOf(s) {
		b.form("/unbind", "vhost", "/", "exchange", x, "source", x, "destination", "q",
			"destination_type", "queue", "properties_key", key)
	}
	b.get("/exchange", "vhost", "/", "exchange", x).shows(t, 200, "1 from, 0 to")
	b.get("/exchange", "vhost", "/", "exchange", "amq.default").
		shows(t, 200, "by its name", "Publish message")
	b.form("/exchange/delete", "vhost", "/", "exchange", x, "if-unused", "true").
		shows(t, 400, "in use")
	b.form("/exchange/delete", "vhost", "/", "exchange", x).shows(t, 200, "is deleted")
	b.get("/exchange", "vhost", "/", "exchange", x).shows(t, 404)
}

// propertiesOf are the keys of the bindings on a page.
func propertiesOf(s seen) (keys []string) {
	const mark = `name="properties_key" value="`
	for part := range strings.SplitSeq(s.text, mark) {
		key, _, _ := strings.Cut(part, `"`)
		keys = append(keys, key)
	}
	return keys[1:]
}

// TestUsers: a user is made, permitted, changed and deleted.
func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	const u = "<i>ann</i>"
	b.form("/users", "user", u, "password", "one-secret", "again", "another", "tags", "monitoring").
		shows(t, 400, "not the same", `value="&lt;i&gt;ann&lt;/i&gt;"`)
	b.form("/users", "user", u, "password", "", "again", "").shows(t, 400, "is missing")
	s := b.form("/users", "user", u, "password", "one-secret", "again", "one-secret",
		"tags", "monitoring, <b>x</b>")
	s.shows(t, 200, "is saved", "can enter no virtual host")
	s.hides(t, "one-secret", "<b>x", "<i>ann")
	ann := w.browser()
	ann.signIn(u, "one-secret").shows(t, 200, "Overview")
	b.form("/user", "user", u, "mode", "keep", "tags", "management").shows(t, 200, "is saved")
	ann.get("/users").shows(t, 401, "Not administrator user")
	ann.get("/admin").shows(t, 200, "Virtual hosts")
	b.form("/user/permission", "user", u, "vhost", "/", "configure", "^a<", "write", ".*",
		"read", "(").shows(t, 400, "invalid regexp")
	b.form("/user/permission", "user", u, "vhost", "/", "configure", "^a<", "write", ".*",
		"read", "").shows(t, 200, "are set", "^a&lt;")
	b.form("/user/topic", "user", u, "vhost", "/", "exchange", "amq.topic", "write", "w",
		"read", "r").shows(t, 200, "are set", "amq.topic")
	b.form("/limit", "user", u, "limit", "max-connections", "value", "7").
		shows(t, 200, "max-connections is 7", `value="7"`)
	b.form("/limit", "user", u, "limit", "max-connections", "value", "x").
		shows(t, 400, "whole number")
	b.get("/users", "name", "ann").shows(t, 200, "&lt;i&gt;ann", "max-connections 7", "1 of 2")
	ann.get("/queues").shows(t, 200, "Queues")
	ann.form("/queues", "vhost", "/", "queue", "b").shows(t, 401, "Access refused")
	b.form("/limit", "user", u, "limit", "max-connections", "value", "").
		shows(t, 200, "is gone")
	b.form("/user/topic/delete", "user", u, "vhost", "/", "exchange", "amq.topic").
		shows(t, 200, "are gone")
	b.form("/user/permission/delete", "user", u, "vhost", "/").shows(t, 200, "are gone")
	b.form("/user", "user", u, "mode", "password", "password", "two-secret", "again",
		"two-secret", "tags", "management").shows(t, 200, "is saved")
	ann.get("/queues").hides(t, "Sign out")
	b.form("/user/delete", "user", u).shows(t, 200, "is deleted")
	b.get("/user", "user", u).shows(t, 404)
	if strings.Contains(w.log.String(), "-secret") {
		t.Error("the log holds a password")
	}
}

// TestVhosts: a virtual host is made, limited and deleted.
func TestVhosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	const h = "team/<1>"
	b.form("/vhosts", "vhost", h, "description", "of <team>", "tags", "a b", "type", "quorum").
		shows(t, 200, "is saved", "team/&lt;1&gt;", "of &lt;team&gt;")
	b.get("/vhosts").shows(t, 200, "team/&lt;1&gt;", "quorum", "2")
	b.form("/limit", "vhost", h, "limit", "max-queues", "value", "1").shows(t, 200, "is 1")
	b.form("/queues", "vhost", h, "queue", "a").shows(t, 200, "is declared", "quorum")
	b.form("/queues", "vhost", h, "queue", "b").shows(t, 400, "limit")
	b.get("/queues", "vhost", h).shows(t, 200, ">a</a>")
	b.form("/vhost", "vhost", h, "description", "other").shows(t, 200, "other")
	b.form("/vhost/delete", "vhost", h).shows(t, 200, "is deleted")
	b.get("/vhost", "vhost", h).shows(t, 404)
}

// TestPolicies: policies are made, shown again for a change, and deleted.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	b.form("/policies", "vhost", "/", "name", "p<1>", "pattern", "^a", "apply-to", "queues",
		"priority", "3", "definition", "max-length = 5\noverflow = reject-publish").
		shows(t, 200, "is saved", "p&lt;1&gt;", "max-length", "reject-publish")
	b.form("/policies", "vhost", "/", "name", "p2", "pattern", "^a", "definition", "no-such = 1").
		shows(t, 400, "no-such", `value="p2"`)
	b.form("/policies", "vhost", "/", "name", "p2", "pattern", "^a", "priority", "high").
		shows(t, 400, "whole number")
	b.get("/policies", "vhost", "/", "name", "p<1>").shows(t, 200, "Update policy p&lt;1&gt;",
		"max-length = 5\noverflow = reject-publish", `value="3"`)
	b.form("/policies", "vhost", "/", "name", "op", "pattern", ".", "operator", "true",
		"apply-to", "queues", "definition", "expires = 60000").shows(t, 200, "is saved", ">op</a>")
	b.form("/policies/delete", "vhost", "/", "name", "p<1>").shows(t, 200, "is deleted")
	b.form("/policies/delete", "vhost", "/", "name", "op", "operator", "true").
		shows(t, 200, "There are no operator policies.")
	w.guest("ann", "a-password-1", "management")
	ann := w.browser()
	ann.signIn("ann", "a-password-1")
	ann.get("/policies").hides(t, "Add a policy")
	ann.form("/policies", "vhost", "/", "name", "p", "pattern", ".", "definition",
		"max-length = 1").shows(t, 401, "not authorised")
}

// TestDefinitions: what is downloaded can be uploaded again. What declares queues is the
// node's, so there are none.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	b.form("/vhosts", "vhost", "kept", "type", "classic").shows(t, 200, "is saved")
	s := b.get("/definitions/download")
	s.shows(t, 200, `"kept"`, `"users"`)
	if got := s.head.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; ") {
		t.Errorf("disposition %q", got)
	}
	b.get("/definitions/download", "vhost", "/").hides(t, `"users"`)
	b.form("/vhost/delete", "vhost", "kept").shows(t, 200, "is deleted")
	b.get("/definitions").shows(t, 200, "Upload")
	b.upload(s.text).shows(t, 200, "are imported")
	b.get("/vhost", "vhost", "kept").shows(t, 200)
	b.upload("no JSON").shows(t, 400, "json")
	w.guest("ann", "a-password-1", "management")
	ann := w.browser()
	ann.signIn("ann", "a-password-1")
	ann.get("/definitions/download").shows(t, 401, "Not administrator user")
}

// upload sends a file as the page of definitions does.
func (b *browser) upload(text string) seen {
	b.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	must(b.w.t, m.WriteField("token", b.token))
	part, err := m.CreateFormFile("file", "definitions.json")
	must(b.w.t, err)
	_, err = part.Write([]byte(text))
	must(b.w.t, err)
	must(b.w.t, m.Close())
	r, err := http.NewRequest(http.MethodPost, b.w.site.URL+"/definitions", &body)
	must(b.w.t, err)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return b.do(r)
}

// TestTooLarge: forms are bounded, each kind by its own bound.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{MaxBody: 2 << 20})
	b := w.signedIn()
	large, larger := strings.Repeat("x", maxForm+1), strings.Repeat("x", 2<<20)
	b.form("/queues", "vhost", "/", "queue", "q", "arguments", large).
		shows(t, 413, "too large")
	b.get("/queues").shows(t, 200, "There are no queues.")
	b.form("/queues", "vhost", "/", "queue", "q").shows(t, 200, "is declared")
	b.form("/publish", "vhost", "/", "queue", "q", "payload", large).shows(t, 200, "is published")
	b.get("/queue", "vhost", "/", "queue", "q")
	b.form("/publish", "vhost", "/", "queue", "q", "payload", larger).shows(t, 413, "too large")
	b.upload(larger).shows(t, 413, "too large")
	s := b.form("/queue/get", "vhost", "/", "queue", "q", "count", "1",
		"ackmode", "ack_requeue_true", "encoding", "auto")
	s.shows(t, 200, "1.0 MiB", "shown up to here")
	if len(s.text) > maxShown+(64<<10) {
		t.Errorf("a page of %d octets", len(s.text))
	}
	const long = "exceeds 255 bytes"
	name := strings.Repeat("q", 300)
	b.form("/queues", "vhost", "/", "queue", name).shows(t, 400, long)
	b.form("/exchanges", "vhost", "/", "exchange", name, "type", "direct").shows(t, 400, long)
	b.form("/publish", "vhost", "/", "exchange", "amq.direct", "routing_key", name).
		shows(t, 400, long)
	b.form("/bind", "vhost", "/", "queue", "q", "source", "amq.direct", "destination", "q",
		"routing_key", name).shows(t, 400, long)
	b.form("/users", "user", name, "password", "x", "again", "x").shows(t, 400, "255")
}

// TestParameters: global parameters are set and deleted, and what is no JSON is not.
func TestParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	b.get("/parameters").shows(t, 200, "No shovel runs.")
	b.form("/parameters", "name", "g", "value", `{"x":"<b>","u":"amqps://me:secret@h/"}`).
		shows(t, 200, "is saved", "&lt;b&gt;", "amqps://…@h/")
	b.form("/parameters", "name", "g", "value", `{`).shows(t, 400, "not JSON")
	b.form("/parameters", "name", "s", "vhost", "/", "component", "none", "value", `1`).
		shows(t, 400, "none")
	b.form("/parameters/delete", "name", "g").shows(t, 200, "is deleted")
	b.get("/cluster").shows(t, 200, "quorum_queue")
	b.form("/cluster", "name", "my <cluster>").shows(t, 200, "my &lt;cluster&gt;")
}
