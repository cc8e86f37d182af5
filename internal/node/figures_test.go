package node

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp10 "github.com/Azure/go-amqp"
)

// scrape asks the loopback port for metrics.
func (w *world) scrape(path string) (int, string) {
	w.t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", w.n.metricsDoor.Port(), path))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// value gives the value of a line of an answer.
func value(t *testing.T, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Errorf("no %s in\n%s", name, text)
	return ""
}

// TestFigures: each broker shows itself to Prometheus on the loopback port, under
// RabbitMQ's names.
func TestFigures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	second, _ := w.create("second")
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c := w.console()
	for _, queue := range []string{"a", "b"} {
		url := "https://localhost:" + w.managementPort() + "/api/queues/%2F/" + queue
		if code, text := c.ask(admin, "PUT", url, ""); code != 201 {
			t.Fatalf("declare: %d %s", code, text)
		}
	}
	base := "https://localhost:" + w.managementPort()
	for path, want := range map[string]string{
		"/metrics": "rabbitmq_queues 2\n", "/metrics/detailed?family=queue_coarse_metrics": "" +
			`rabbitmq_detailed_queue_messages_ready{vhost="/",queue="a"} 0` + "\n",
		"/metrics/per-object": `rabbitmq_queue_messages_ready{vhost="/",queue="b"} 0` + "\n",
	} {
		if code, text := c.ask(admin, "GET", base+path, ""); code != 200 ||
			!strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if code, _ := c.ask("wrong", "GET", base+"/metrics", ""); code != 401 {
		t.Errorf("with a wrong password: %d", code)
	}
	const permit = `{"password":"p","tags":"management"}`
	if code, text := c.ask(admin, "PUT", base+"/api/users/plain", permit); code != 201 {
		t.Fatalf("%d %s", code, text)
	}
	if code, _ := c.askAs("plain", "p", "GET", base+"/metrics", ""); code != 401 {
		t.Errorf("without the tag monitoring: %d", code)
	}
	for path, queues := range map[string]string{
		"/rabbitmq/metrics": "2", "/rabbitmq/" + w.main() + "/metrics": "2",
		"/rabbitmq/" + second + "/metrics": "0",
	} {
		code, text := w.scrape(path)
		if got := value(t, text, "rabbitmq_queues"); code != 200 || got != queues {
			t.Errorf("%s: %d, %s queues", path, code, got)
		}
		for _, name := range []string{"rabbitmq_process_open_fds", "rabbitmq_process_max_fds",
			"rabbitmq_process_resident_memory_bytes", "rabbitmq_resident_memory_limit_bytes",
			"rabbitmq_disk_space_available_bytes", "rabbitmq_erlang_processes_used"} {
			if got := value(t, text, name); len(got) < 1 || got == "0" {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	_, text := w.scrape("/rabbitmq/" + second + "/metrics/per-object")
	if want := `rabbitmq_cluster="` + second + `"`; !strings.Contains(text, want) {
		t.Errorf("no %s in\n%s", want, text)
	}
	for _, path := range []string{"/rabbitmq/", "/rabbitmq/other/metrics", "/rabbitmq/metrics/x",
		"/rabbitmq/b-00000000-0000-4000-8000-000000000000/metrics"} {
		if code, _ := w.scrape(path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestProcessFigures(t *testing.T) {
	t.Parallel()
	for text, pages := range map[string]int64{
		"100 25 3 4 0 6 0\n": 25, "": 0, "100": 0, "100 x": 0, "1 -5": 0,
	} {
		if got := statm(text); got != pages {
			t.Errorf("%q: %d", text, got)
		}
	}
	for text, bytes := range map[string]int64{
		"MemFree: 1 kB\nMemTotal:       2048 kB\n": 2 << 20, "MemTotal: 5 MB\n": 0, "": 0,
		"MemTotal: x kB\n": 0, "MemTotal: 9223372036854775807 kB\n": 0,
	} {
		if got := meminfo(strings.NewReader(text)); got != bytes {
			t.Errorf("%q: %d", text, got)
		}
	}
	open, most := descriptors()
	if open < 3 || most < open || residentMemory() < 1<<20 || machineMemory() < 64<<20 {
		t.Errorf("%d of %d files, %d of %d bytes", open, most, residentMemory(), machineMemory())
	}
}

// TestManagementSamples: the management API shows rates between the samples that the
// process takes, and on demand the samples.
func TestManagementSamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c, base := w.console(), "https://localhost:"+w.managementPort()+"/api/"
	ask := func(method, path, body string) (o object) {
		t.Helper()
		code, text := c.ask(admin, method, base+path, body)
		if code < 200 || code > 299 {
			t.Fatalf("%s: %d %s", path, code, text)
		}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &o); err != nil {
				t.Fatal(err)
			}
		}
		return o
	}
	list := w.n.fleet.allFigures()
	if len(list) != 1 {
		t.Fatalf("%d brokers", len(list))
	}
	later := time.Now().Add(time.Hour) // the process does not take samples of the past
	list[0].samples.Sample(later.Add(-time.Second))
	ask("PUT", "queues/%2F/q", "")
	list[0].samples.Sample(later) // the first of this queue
	for range 4 {
		ask("POST", "exchanges/%2F/amq.default/publish",
			`{"routing_key":"q","payload":"x","payload_encoding":"string","properties":{}}`)
	}
	list[0].samples.Sample(later.Add(2 * time.Second))
	q := ask("GET", "queues/%2F/q?lengths_age=60&lengths_incr=5", "")
	details := q["messages_ready_details"].(object)
	samples, _ := details["samples"].([]any)
	if q["messages_ready"] != 4.0 || details["rate"] != 2.0 || len(samples) != 1 {
		t.Errorf("%v", q["messages_ready_details"])
	}
	stats := q["message_stats"].(object)
	if d := stats["publish_details"].(object); stats["publish"] != 4.0 || d["rate"] != 2.0 ||
		d["samples"] != nil {
		t.Errorf("%v", stats)
	}
	all := ask("GET", "overview", "")
	if d := all["message_stats"].(object)["publish_details"].(object); d["rate"] != 2.0 {
		t.Errorf("%v", all["message_stats"])
	}
	if n := all["churn_rates"].(object)["queue_declared"]; n != 1.0 {
		t.Errorf("%v", all["churn_rates"])
	}
}

// TestBothProtocolsShown: connections of AMQP 1.0 are listed, counted and closed beside
// those of 0-9-1.
func TestBothProtocolsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c, base := w.console(), "https://localhost:"+w.managementPort()+"/api/"
	if code, text := c.ask(admin, "PUT", base+"queues/%2F/q", ""); code != 201 {
		t.Fatalf("%d %s", code, text)
	}
	newer, err := amqp10.Dial(t.Context(), fmt.Sprintf("amqps://localhost:%d", w.endpoints().AMQP),
		&amqp10.ConnOptions{
			ContainerID: "me", SASLType: amqp10.SASLTypePlain("admin", admin),
			TLSConfig: &tls.Config{RootCAs: w.roots()},
		})
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	session, err := newer.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.NewSender(t.Context(), "/queues/q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Send(t.Context(), amqp10.NewMessage([]byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	_, older := w.dial()
	if _, err := older.QueueDeclarePassive("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	_, text := c.ask(admin, "GET", base+"connections", "")
	var list []object
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	names := map[any]string{}
	for _, x := range list {
		names[x["protocol"]] = x["name"].(string)
	}
	if len(list) != 2 || names["AMQP 0-9-1"] == "" || names["AMQP 1-0"] == "" {
		t.Fatalf("%v", names)
	}
	_, text = w.scrape("/rabbitmq/metrics")
	for name, want := range map[string]string{
		"rabbitmq_connections": "2", `rabbitmq_global_publishers{protocol="amqp10"}`: "1",
		`rabbitmq_global_messages_received_total{protocol="amqp10"}`:  "1",
		`rabbitmq_global_messages_confirmed_total{protocol="amqp10"}`: "1",
	} {
		if got := value(t, text, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	gone := newer.Done()
	url := base + "connections/" + url.PathEscape(names["AMQP 1-0"])
	if code, text := c.ask(admin, "DELETE", url, ""); code != 204 {
		t.Fatalf("%d %s", code, text)
	}
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Fatal("the connection stays")
	}
	if err := newer.Err(); err == nil || !strings.Contains(err.Error(), "forced") {
		t.Errorf("closed with %v", err)
	}
}
