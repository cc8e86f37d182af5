package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// console is a client of the management port that dials it under any name.
type console struct {
	w      *world
	client *http.Client
}

func (w *world) console() *console {
	w.t.Helper()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", w.managementPort()))
	}
	transport := &http.Transport{
		DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: w.roots()},
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &console{w, &http.Client{Transport: transport}}
}

func (w *world) managementPort() string {
	return strconv.Itoa(w.n.fleet.management.Port())
}

// ask sends a request to a base URL and gives status and body.
func (c *console) ask(password, method, url, body string) (int, string) {
	c.w.t.Helper()
	return c.askAs("admin", password, method, url, body)
}

// askAs is ask of another user.
func (c *console) askAs(user, password, method, url, body string) (int, string) {
	c.w.t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	r.Header.Set("Content-Type", "application/json")
	return c.send(r)
}

func (c *console) send(r *http.Request) (int, string) {
	c.w.t.Helper()
	resp, err := c.client.Do(r)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestManagementPort (MQ-14): DescribeBroker names the console, and each broker has its
// own, told apart by the server name.
func TestManagementPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	second, _ := w.create("second")
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c := w.console()
	urls := map[string]string{}
	for _, id := range []string{w.main(), second} {
		_, out := w.call("GET", "/v1/brokers/"+id, nil)
		instances := out["brokerInstances"].([]any)
		urls[id] = instances[0].(object)["consoleURL"].(string)
	}
	if want := "https://localhost:" + w.managementPort(); urls[w.main()] != want {
		t.Errorf("console of main: %s, not %s", urls[w.main()], want)
	}
	if code, text := c.ask(admin, "PUT", urls[w.main()]+"/api/queues/%2F/q", ""); code != 201 {
		t.Errorf("declare: %d %s", code, text)
	}
	if code, _ := c.ask(admin, "GET", urls[second]+"/api/queues", ""); code != 401 {
		t.Errorf("the second broker knows the password of the first: %d", code)
	}
	const own = "A-long-password-1"
	if code, text := c.ask(own, "GET", urls[second]+"/api/queues", ""); code != 200 ||
		text != "[]" {
		t.Errorf("queues of the second: %d %s", code, text)
	}
	if code, _ := c.ask(own, "GET", "https://b-00000000-0000-4000-8000-000000000000.localhost/api/"+
		"queues", ""); code != 503 {
		t.Errorf("a broker that is not there: %d", code)
	}
	if log := w.log.String(); strings.Contains(log, admin) || strings.Contains(log, own) {
		t.Error("the log holds a password")
	}
}

// TestManagementMisdirected: a connection made for one broker serves no other, since
// the password in the request is another's.
func TestManagementMisdirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	second, _ := w.create("second")
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", w.managementPort()),
		&tls.Config{RootCAs: w.roots(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /api/whoami HTTP/1.1\r\nHost: "+second+
		".localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 421 ") {
		t.Errorf("%q %v", answer, err)
	}
}

// TestManagementLocked: without the key what is known is shown, and what needs the key
// is refused with 503, and works again afterwards.
func TestManagementLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c := w.console()
	base := "https://localhost/api"
	const message = `{"properties":{},"routing_key":"q","payload":"m","payload_encoding":"string"}`
	const getting = `{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}`
	expect := func(method, path, body string, want int, part string) {
		t.Helper()
		if code, text := c.ask(admin, method, base+path, body); code != want ||
			!strings.Contains(text, part) {
			t.Errorf("%s %s: %d %s", method, path, code, text)
		}
	}
	expect("PUT", "/queues/%2F/q", `{"durable":true}`, 201, "")
	expect("POST", "/exchanges/%2F/amq.default/publish", message, 200, `{"routed":true}`)
	unlock := w.lockMain()
	expect("GET", "/queues/%2F/q", "", 200, `"messages":1`)
	expect("POST", "/exchanges/%2F/amq.default/publish", message, 503, "unavailable")
	expect("POST", "/queues/%2F/q/get", getting, 503, "unavailable")
	unlock()
	expect("POST", "/queues/%2F/q/get", getting, 200, `"payload":"m"`)
	var queue object
	_, text := c.ask(admin, "GET", base+"/queues/%2F/q", "")
	if err := json.Unmarshal([]byte(text), &queue); err != nil || queue["messages"] != 0.0 {
		t.Errorf("%s %v", text, err)
	}
}

// lockMain takes the key of broker main away until unlock is called.
func (w *world) lockMain() (unlock func()) {
	w.t.Helper()
	f := w.n.fleet
	f.mu.Lock()
	b := f.brokers[f.main]
	domain := b.domain
	f.mu.Unlock()
	lift := w.n.ring.Fence(b.run.Key, fault.New(fault.KeyUnavailable, "the key is away"))
	return func() {
		lift()
		if err := domain.Refresh(w.t.Context()); err != nil {
			w.t.Errorf("unlock: %v", err)
		}
	}
}
