package browser

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// site is a running broker with its pages.
type site struct {
	t        *testing.T
	base     string
	password string
	client   *http.Client
	pin      string
}

func serve(t *testing.T) *site {
	t.Helper()
	binary, err := process.Build(t.Context(), t.TempDir())
	must(t, err)
	s := kit.Start(t, kit.Config{Binary: binary})
	authority, err := os.ReadFile(s.Env["COFFER_CA"])
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("the authority's certificate cannot be read")
	}
	u, err := url.Parse(s.Env["COFFER_MANAGEMENT_URL"])
	must(t, err)
	password, _ := u.User.Password()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	consume(t, s)
	w := &site{
		t: t, base: "https://" + u.Host, password: password,
		client: &http.Client{Transport: transport},
	}
	conn, err := tls.Dial("tcp", u.Host, transport.TLSClientConfig)
	must(t, err)
	defer conn.Close()
	key := conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo
	sum := sha256.Sum256(key)
	w.pin = base64.StdEncoding.EncodeToString(sum[:])
	return w
}

// consume is a client that waits for messages, until the test ends.
func consume(t *testing.T, s *kit.Server) {
	t.Helper()
	ch, err := s.Dial(s.Main()).Channel()
	must(t, err)
	_, err = ch.QueueDeclare("consumed", true, false, false, false, nil)
	must(t, err)
	_, err = ch.Consume("consumed", "a-consumer", false, false, false, false, nil)
	must(t, err)
}

// ask sends a request to the API.
func (w *site) ask(method, path, body string) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.base+path, strings.NewReader(body))
	must(w.t, err)
	r.SetBasicAuth("admin", w.password)
	r.Header.Set("Content-Type", "application/json")
	resp, err := w.client.Do(r)
	must(w.t, err)
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
}

// hostile is a script wherever it is not escaped.
const hostile = `"><img src=x onerror="window.broken=1"><script>window.broken=1</script>`

// TestManagement (issue 4, part 6): the pages in Chromium, on a desk and on a phone of 360
// pixels: sign in, declare a queue, publish, get, purge and delete, see every page. No page
// scrolls sideways, no script fails, and nothing is refused by the pages' own policy.
func TestManagement(t *testing.T) {
	t.Parallel()
	binary := Find(t)
	w := serve(t)
	w.ask("PUT", "/api/queues/%2F/"+strings.Repeat("long-name-", 25), `{"durable":true}`)
	w.ask("PUT", "/api/policies/%2F/limits",
		`{"pattern":"^orders\\.","definition":{"max-length":1000},"apply-to":"queues"}`)
	for _, v := range []struct {
		name          string
		width, height int
		phone, dark   bool
	}{{"desk", 1280, 900, false, false}, {"phone", 360, 740, true, true}} {
		t.Run(v.name, func(t *testing.T) {
			b := &visitor{Open(t, binary, w.pin), t, w, v.name}
			b.Size(v.width, v.height, v.phone)
			b.Dark(v.dark)
			b.signIn()
			b.useQueue("orders." + v.name)
			b.seeAll()
			b.keepsFresh("fresh." + v.name)
			b.bringsBack("kept." + v.name)
			b.moves("from."+v.name, "to."+v.name)
			b.Go(w.base + "/")
			b.Follow(".who button")
			if text := b.Text(".note"); !strings.Contains(text, "signed out") {
				t.Errorf("after sign-out: %q", text)
			}
			for _, f := range b.Findings() {
				t.Errorf("the browser complains: %s", f)
			}
		})
	}
}

// visitor is an administrator at a browser.
type visitor struct {
	*Tab
	t    *testing.T
	site *site
	name string
}

// look takes a picture of the page, which must fit the window.
func (b *visitor) look(page string) {
	b.t.Helper()
	b.Shot(b.name + "-" + page)
	var wide []string
	b.Eval(`(() => {
		const most = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= most) return [];
		return [...document.querySelectorAll("body *")]
			.filter((e) => e.getBoundingClientRect().right > most + 0.5)
			.map((e) => e.tagName + "." + e.className).slice(0, 9);
	})()`, &wide)
	if len(wide) > 0 {
		b.t.Errorf("page %s is wider than the window: %q", page, wide)
	}
	var broken bool
	if b.Eval("Boolean(window.broken)", &broken); broken {
		b.t.Errorf("page %s runs a text as a script", page)
	}
	var unlabelled int
	b.Eval(`[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
		.filter((e) => !e.labels.length && !e.getAttribute("aria-label")).length`, &unlabelled)
	if unlabelled > 0 {
		b.t.Errorf("page %s has %d fields without labels", page, unlabelled)
	}
}

func (b *visitor) signIn() {
	b.t.Helper()
	b.Go(b.site.base + "/queues")
	b.look("login")
	b.Fill("[name=username]", "admin")
	b.Fill("[name=password]", "wrong")
	b.Follow("button.main")
	if text := b.Text("[role=alert]"); text != "Login failed" {
		b.t.Errorf("a wrong password: %q", text)
	}
	b.Fill("[name=password]", b.site.password)
	b.Follow("button.main")
	if text := b.Text("h1"); !strings.HasPrefix(text, "Queues") {
		b.t.Fatalf("after sign-in: %q", text)
	}
}

// useQueue goes the whole way of a queue with the forms of its pages.
func (b *visitor) useQueue(name string) {
	b.t.Helper()
	b.Click("details.panel summary")
	b.Fill("[name=queue]", name)
	b.Click("[data-hint='x-max-priority = 10']")
	b.look("queues-add")
	b.Follow("details form button.main")
	if text := b.Text("main"); !strings.Contains(text, "is declared") ||
		!strings.Contains(text, "x-max-priority") {
		b.t.Fatalf("declare: %s", text)
	}
	b.Fill("form[action='/publish'] [name=payload]", hostile)
	b.Fill("form[action='/publish'] [name=headers]", "who = "+hostile)
	b.Follow("form[action='/publish'] button.main")
	b.notice("The message is published.")
	b.Fill("form[action^='/queue/get'] [name=ackmode]", "ack_requeue_false")
	b.Follow("form[action^='/queue/get'] button.main")
	if text := b.Text(".message pre"); text != hostile {
		b.t.Errorf("the payload is shown as %q", text)
	}
	b.look("queue-get")
	b.Dialogs()
	b.Follow("form[action='/queue/purge'] button")
	b.notice("is purged")
	b.Follow("form[action='/queue/delete'] button")
	b.notice("is deleted")
	if asked := b.Dialogs(); len(asked) != 2 {
		b.t.Errorf("asked before what cannot be undone: %q", asked)
	}
}

func (b *visitor) notice(part string) {
	b.t.Helper()
	if text := b.Text(".note.good, .note.bad"); !strings.Contains(text, part) {
		b.t.Errorf("the notice is %q, not %q", text, part)
	}
}

// seeAll looks at each page.
func (b *visitor) seeAll() {
	b.t.Helper()
	for _, p := range [][2]string{
		{"overview", "/"}, {"connections", "/connections"}, {"channels", "/channels"},
		{"exchanges", "/exchanges"}, {"exchange", "/exchange?vhost=/&exchange=amq.topic"},
		{"queues", "/queues"},
		{"queue", "/queue?vhost=/&queue=" + strings.Repeat("long-name-", 25)},
		{"users", "/users"}, {"user", "/user?user=admin"}, {"vhosts", "/vhosts"},
		{"vhost", "/vhost?vhost=/"}, {"policies", "/policies?vhost=/&name=limits"},
		{"parameters", "/parameters"}, {"definitions", "/definitions"},
		{"cluster", "/cluster"}, {"missing", "/queue?vhost=/&queue=none"},
	} {
		b.Go(b.site.base + p[1])
		b.open(p[0])
	}
	for _, page := range []string{"connection", "channel"} {
		b.Go(b.site.base + "/" + page + "s")
		b.Follow("td.title a")
		b.open(page)
	}
	b.Go(b.site.base + "/queue?vhost=/&queue=consumed")
	b.open("consumed")
	if text := b.Text("main"); !strings.Contains(text, "a-consumer") {
		b.t.Errorf("the consumer is not shown: %s", text)
	}
}

// open looks at a page, and again with all of its forms.
func (b *visitor) open(page string) {
	b.t.Helper()
	b.look(page)
	b.Eval(`document.querySelectorAll("details").forEach((d) => d.open = true)`, nil)
	b.look(page + "-open")
}

// keepsFresh sees a figure change in a page that is not loaded again.
func (b *visitor) keepsFresh(queue string) {
	b.t.Helper()
	b.site.ask("PUT", "/api/queues/%2F/"+queue, `{"durable":true}`)
	b.Go(b.site.base + "/queue?vhost=/&queue=" + queue)
	b.Eval("window.same = true", nil)
	b.site.ask("POST", "/api/exchanges/%2F/amq.default/publish", fmt.Sprintf(
		`{"properties":{},"routing_key":%q,"payload":"m","payload_encoding":"string"}`, queue))
	b.Until(`window.same && document.querySelector("#figures .value").innerText === "1"`)
	b.Until(`document.querySelector("#chart-queued polyline").points.numberOfItems > 1`)
	b.look("fresh")
	b.site.ask("DELETE", "/api/queues/%2F/"+queue, "")
}

// bringsBack uploads the definitions that were downloaded, and has a queue again.
func (b *visitor) bringsBack(queue string) {
	b.t.Helper()
	b.site.ask("PUT", "/api/queues/%2F/"+queue,
		`{"durable":true,"arguments":{"x-expires":9000000}}`)
	b.Go(b.site.base + "/definitions")
	b.Eval(`fetch("/definitions/download").then((a) => a.text()).then((text) => {
		const list = new DataTransfer();
		list.items.add(new File([text], "definitions.json", { type: "application/json" }));
		document.querySelector("[name=file]").files = list.files;
	})`, nil)
	b.site.ask("DELETE", "/api/queues/%2F/"+queue, "")
	b.Follow("form[action='/definitions'] button")
	b.notice("are imported")
	b.Go(b.site.base + "/queue?vhost=/&queue=" + queue)
	if text := b.Text("main"); !strings.Contains(text, "x-expires") {
		b.t.Errorf("after the import: %s", text)
	}
	b.site.ask("DELETE", "/api/queues/%2F/"+queue, "")
}

// moves has a shovel take a message from one queue to another.
func (b *visitor) moves(from, to string) {
	b.t.Helper()
	b.site.ask("PUT", "/api/queues/%2F/"+from, `{"durable":true}`)
	b.site.ask("PUT", "/api/queues/%2F/"+to, `{"durable":true}`)
	b.Go(b.site.base + "/queue?vhost=/&queue=" + from)
	b.Fill("form[action='/publish'] [name=payload]", "to be moved")
	b.Follow("form[action='/publish'] button.main")
	b.Fill("[name=to]", to)
	b.Follow("form[action='/queue/move'] button")
	b.notice("are being moved")
	b.Go(b.site.base + "/queue?vhost=/&queue=" + to)
	b.Until(`document.querySelector("#figures .value").innerText === "1"`)
	b.look("moved")
	b.site.ask("DELETE", "/api/queues/%2F/"+from, "")
	b.site.ask("DELETE", "/api/queues/%2F/"+to, "")
}
