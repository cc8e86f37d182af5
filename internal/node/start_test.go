package node

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/listen/listentest"
)

// TestFirstStart sets everything up, and a second start keeps it.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, mode := range map[string]os.FileMode{
		fileRootKey: 0o600, fileCredentials: 0o600, fileMainAdmin: 0o600,
		fileEndpoints: 0o644, fileCA: 0o644,
	} {
		info, err := os.Stat(filepath.Join(w.cfg.Data, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	e := w.endpoints()
	if e.AMQP == 0 || e.AMQP != w.n.fleet.door.Port() || e.API == 0 || e.Metrics == 0 ||
		e.Brokers[w.main()] != e.AMQP || e.AMQPPlain != 0 {
		t.Errorf("%+v", e)
	}
	if _, name := w.greet(e.AMQP, "localhost"); name != w.main() {
		t.Errorf("the standard port leads to %q", name)
	}
	secrets := []string{strings.TrimSpace(w.file(fileRootKey)),
		strings.TrimSpace(w.file(fileMainAdmin)), strings.Fields(w.file(fileCredentials))[6]}
	main, kept := w.main(), w.file(fileCredentials)+w.file(fileMainAdmin)+w.file(fileCA)
	w.stop()
	_, err := os.Stat(filepath.Join(w.cfg.Data, fileEndpoints))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("endpoints.json after the stop: %v", err)
	}
	w.start()
	if w.main() != main || w.file(fileCredentials)+w.file(fileMainAdmin)+w.file(fileCA) != kept {
		t.Error("the second start is another process's")
	}
	if _, name := w.greet(w.endpoints().AMQP, "localhost"); name != main {
		t.Errorf("the standard port leads to %q", name)
	}
	for _, s := range secrets {
		if len(s) < 16 || strings.Contains(w.log.String(), s) {
			t.Errorf("a secret of %d letters is logged", len(s))
		}
	}
}

// TestSecondProcess on a directory names it, and neither disturbs the first nor
// its files.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	before := w.file(fileEndpoints)
	err := refused(t, w.cfg)
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), w.cfg.Data) ||
		!strings.Contains(err.Error(), "--data") {
		t.Error(err)
	}
	if w.file(fileEndpoints) != before {
		t.Error("endpoints.json changed")
	}
	if status, out := w.call("GET", "/v1/brokers", nil); status != 200 {
		t.Errorf("%d %v", status, out)
	}
}

// TestRootKey: a wrong, missing or damaged root key names the file and changes
// nothing.
func TestRootKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	file := filepath.Join(w.cfg.Data, fileRootKey)
	right := w.file(fileRootKey)
	for name, c := range map[string]struct{ key, text string }{
		"wrong":    {strings.Repeat("a", 64) + "\n", "--root-key"},
		"short":    {"abc", "64 hexadecimal digits"},
		"long":     {right[:64] + "00\n", "64 hexadecimal digits"},
		"no hex":   {strings.Repeat("g", 64), "64 hexadecimal digits"},
		"empty":    {"", "64 hexadecimal digits"},
		"missing":  {"-", "put the file back"},
		"two keys": {right + right, "64 hexadecimal digits"},
	} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if c.key != "-" {
			if err := os.WriteFile(file, []byte(c.key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := snapshot(t, w.cfg.Data)
		err := refused(t, w.cfg)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), file) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.key) > 60 && strings.Contains(err.Error(), c.key[:60]) {
			t.Errorf("%s: the error shows the key", name)
		}
		t.Run(name, func(t *testing.T) { same(t, before, snapshot(t, w.cfg.Data)) })
	}
	if err := os.WriteFile(file, []byte(right[:64]), 0o600); err != nil { // no newline
		t.Fatal(err)
	}
	w.start()
}

// TestPortInUse names the flag, for each port, and what was started is stopped.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	for flag, set := range map[string]func(*Config){
		"--api-port":        func(c *Config) { c.APIPort = port },
		"--amqp-port":       func(c *Config) { c.AMQPPort = port },
		"--amqp-plain-port": func(c *Config) { c.AMQPPlainPort = port },
		"--metrics-port":    func(c *Config) { c.MetricsPort = port },
		"--management-port": func(c *Config) { c.ManagementPort = port },
	} {
		low := listentest.Ports(t, 5)
		cfg := Config{Data: t.TempDir(), InsecureLoopback: true, APIPort: low, AMQPPort: low + 1,
			AMQPPlainPort: low + 2, MetricsPort: low + 3, ManagementPort: low + 4}
		set(&cfg)
		err := refused(t, cfg)
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), flag) ||
			!strings.Contains(err.Error(), strconv.Itoa(port)) {
			t.Errorf("%s: %v", flag, err)
		}
		if _, err := os.Stat(filepath.Join(cfg.Data, fileEndpoints)); err == nil {
			t.Errorf("%s: endpoints.json was written", flag)
		}
		if flag != "--metrics-port" {
			continue
		}
		cfg.AutoPorts = true // the directory is free again
		n, err := Start(t.Context(), cfg)
		if err != nil {
			t.Errorf("%s: then %v", flag, err)
			continue
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestConfig: what cannot be is refused before anything is made.
func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		flag string
	}{
		"port":      {Config{APIPort: 70000}, "--api-port"},
		"negative":  {Config{MetricsPort: -1}, "--metrics-port"},
		"range":     {Config{BrokerPorts: "200-100"}, "--broker-ports"},
		"no range":  {Config{BrokerPorts: "15700"}, "--broker-ports"},
		"more":      {Config{BrokerPorts: "15700-15999x"}, "--broker-ports"},
		"listen":    {Config{Listen: "example.com"}, "--listen"},
		"clear":     {Config{Listen: "192.0.2.1", InsecureLoopback: true}, "--insecure-loopback"},
		"all clear": {Config{Listen: "0.0.0.0", InsecureLoopback: true}, "--insecure-loopback"},
		"too large": {Config{MaxMessage: "1GiB"}, "--max-message-size"},
		"half pair": {Config{TLSCert: []string{"a"}}, "--tls-key"},
	} {
		c.cfg.Data = filepath.Join(t.TempDir(), "data")
		err := refused(t, c.cfg)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.flag) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(c.cfg.Data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory was made", name)
		}
	}
}

// TestEnv tells clients what they need while the process runs, and that it does
// not run where it does not, also when a killed one left its files.
func TestEnv(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.InsecureLoopback = true })
	list, err := Env(t.Context(), w.cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range list {
		got[v.Name] = v.Value
	}
	e := w.endpoints()
	for name, part := range map[string]string{
		"AWS_ENDPOINT_URL":      "https://localhost:" + strconv.Itoa(e.API),
		"AWS_CA_BUNDLE":         filepath.Join(w.cfg.Data, fileCA),
		"AWS_ACCESS_KEY_ID":     "AKIA",
		"COFFER_AMQP_URL":       "@localhost:" + strconv.Itoa(e.AMQP) + "/%2f",
		"COFFER_AMQP_PLAIN_URL": "@localhost:" + strconv.Itoa(e.AMQPPlain) + "/%2f",
		"COFFER_MANAGEMENT_URL": "@localhost:" + strconv.Itoa(e.Management),
	} {
		if !strings.Contains(got[name], part) {
			t.Errorf("%s=%s lacks %s", name, got[name], part)
		}
	}
	plain, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.AMQPPlain)))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if name := hello(plain); name != w.main() {
		t.Errorf("the plaintext port leads to %q", name)
	}
	stale := w.file(fileEndpoints)
	w.stop()
	nothing := func(what string) {
		t.Helper()
		if _, err := Env(t.Context(), w.cfg.Data); fault.KindOf(err) != fault.Unavailable ||
			!strings.Contains(err.Error(), "coffer serve --data") {
			t.Errorf("%s: %v", what, err)
		}
	}
	nothing("stopped")
	file := filepath.Join(w.cfg.Data, fileEndpoints)
	if err := os.WriteFile(file, []byte(stale), 0o644); err != nil {
		t.Fatal(err)
	}
	nothing("killed")
	w.start()
	other := newWorld(t, nil)
	lie := strings.Replace(stale, strconv.Itoa(e.API), strconv.Itoa(other.endpoints().API), 1)
	if err := os.WriteFile(file, []byte(lie), 0o644); err != nil {
		t.Fatal(err)
	}
	nothing("another process on the port")
	if _, err := Env(t.Context(), t.TempDir()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestStopTwice: a second stop does nothing.
func TestStopTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	conn, _ := w.greet(w.endpoints().AMQP, "localhost")
	n := w.n
	w.stop()
	closed(t, conn)
	if err := n.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestMetrics shows what is counted, and the health of the process.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.call("GET", "/v1/brokers", nil)
	w.call("GET", "/v1/brokers/b-none", nil)
	base := "http://127.0.0.1:" + strconv.Itoa(w.endpoints().Metrics)
	get := func(path string) string {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %d %v", path, resp.StatusCode, err)
		}
		return string(b)
	}
	text := get("/metrics")
	for _, want := range []string{
		"coffer_brokers 1\n", "coffer_brokers_locked 0\n", "coffer_messages_ready 0\n",
		"coffer_messages_published_total 0\n", "coffer_fence_seconds_count 0\n",
		`coffer_audit_events_total{category="management",outcome="done"} `,
		`coffer_audit_events_total{category="management",outcome="refused"} 1`,
		`coffer_api_requests_total{code="NotFoundException",` +
			`operation="DescribeBroker",service="mq"} 1`,
		`coffer_api_request_seconds_count{operation="DescribeBroker",service="mq"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	health := get("/healthz") + get("/readyz")
	if health != "store: ok\nok\nbrokers: ok\nstore: ok\nok\n" {
		t.Errorf("%q", health)
	}
	http.DefaultClient.CloseIdleConnections()
}
