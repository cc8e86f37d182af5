package ui

import (
	"strings"
	"testing"
)

// hostile are texts that are scripts where they are not escaped.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`,
	`</title><svg onload=alert(1)>`, `javascript:alert(1)`, `{{.Token}}`, "../../etc",
	`..`, `.`, `a/b?c=d#e`, "\u202eevil\u0000", `<!--`, `</textarea><script>1</script>`,
}

// TestHostileNames: whatever a queue is called, pages show it as a text, and its links
// lead to it.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	for _, name := range hostile {
		if s := b.form("/queues", "vhost", "/", "queue", name); s.code != 200 {
			t.Fatalf("%q: %d %s", name, s.code, s.main())
		}
		b.form("/publish", "vhost", "/", "queue", name, "payload", name,
			"headers", `x = "`+strings.ReplaceAll(name, `"`, `\"`)+`"`+"\n<b>h</b> = 1",
			"properties", "type = "+name+"\nmessage_id = <b>m</b>").
			shows(t, 200, "The message is published.")
		s := b.form("/queue/get", "vhost", "/", "queue", name, "count", "1",
			"ackmode", "ack_requeue_true", "encoding", "auto")
		s.shows(t, 200, `class="message"`, "&lt;b&gt;h")
		harmless(t, s)
		harmless(t, b.get("/queues", "name", name))
		harmless(t, b.form("/queues", "vhost", "/", "queue", name, "arguments", name))
		harmless(t, b.get("/queue", "vhost", name, "queue", name))
		s = b.form("/queue/delete", "vhost", "/", "queue", name)
		s.shows(t, 200, "is deleted")
		harmless(t, s)
	}
}

// harmless fails if a page has an element, or an attribute, that it was not made with.
func harmless(t *testing.T, s seen) {
	t.Helper()
	for _, part := range []string{
		"<script>", "<img src=x", "<svg", "onerror=alert(1)>", "onmouseover='",
		`href="javascript:`, `action="javascript:`,
		"<b>", "<!--",
	} {
		if strings.Contains(s.text, part) {
			t.Errorf("%s holds %q:\n%s", s.path, part, s.main())
		}
	}
}
