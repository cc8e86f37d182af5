package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/aws/sigv4"
)

// world is a data directory and the process on it.
type world struct {
	t   testing.TB
	cfg Config
	n   *Node
	log logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld starts a process on a new directory.
func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, cfg: Config{Data: filepath.Join(t.TempDir(), "data"), AutoPorts: true}}
	w.cfg.Logger = slog.New(slog.NewTextHandler(&w.log, nil))
	if change != nil {
		change(&w.cfg)
	}
	t.Cleanup(w.stop)
	w.start()
	return w
}

func (w *world) start() {
	w.t.Helper()
	n, err := Start(w.t.Context(), w.cfg)
	if err != nil {
		w.t.Fatalf("start: %v\n%s", err, w.log.String())
	}
	w.n = n
}

func (w *world) stop() {
	w.t.Helper()
	if w.n == nil {
		return
	}
	if err := w.n.Stop(context.Background()); err != nil {
		w.t.Errorf("stop: %v", err)
	}
	w.n = nil
}

// refused starts a process that must not come up, and gives its error.
func refused(t *testing.T, cfg Config) error {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	n, err := Start(t.Context(), cfg)
	if err == nil {
		err := n.Stop(t.Context())
		t.Fatalf("the process came up; %v", err)
	}
	return err
}

func (w *world) file(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.cfg.Data, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) endpoints() *Endpoints {
	w.t.Helper()
	e := &Endpoints{}
	if err := json.Unmarshal([]byte(w.file(fileEndpoints)), e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) roots() *x509.CertPool {
	w.t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(w.file(fileCA))) {
		w.t.Fatal("no certificate in " + fileCA)
	}
	return pool
}

type object = map[string]any

// call asks Amazon MQ.
func (w *world) call(method, path string, body any) (int, object) {
	w.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	host := net.JoinHostPort("localhost", strconv.Itoa(w.n.api.Port()))
	r, err := http.NewRequest(method, "https://"+host+path, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	id, secret, err := readCredentials(filepath.Join(w.cfg.Data, fileCredentials))
	if err != nil {
		w.t.Fatal(err)
	}
	key := sigv4.Key{AccessKeyID: id, Secret: sigv4.NewSecret(secret)}
	sigv4.Sign(r, text, key, Region, "mq", time.Now())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots()}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := object{}
	if b, err := io.ReadAll(resp.Body); err != nil || json.Unmarshal(b, &out) != nil {
		w.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, b, err)
	}
	return resp.StatusCode, out
}

func createBody(name string) object {
	return object{
		"brokerName": name, "engineType": "RABBITMQ", "deploymentMode": "SINGLE_INSTANCE",
		"hostInstanceType": "mq.m5.large", "publiclyAccessible": false,
		"users": []any{object{"username": "admin", "password": "A-long-password-1"}},
	}
}

// create makes a broker, waits until it runs and gives its id and its port.
func (w *world) create(name string) (id string, port int) {
	w.t.Helper()
	status, out := w.call("POST", "/v1/brokers", createBody(name))
	if status != 200 {
		w.t.Fatalf("create %s: %d %v", name, status, out)
	}
	w.n.fleet.work.Wait()
	id = out["brokerId"].(string)
	return id, w.endpoints().Brokers[id]
}

// main gives the id of broker main.
func (w *world) main() string { return "b-" + w.n.fleet.main.String() }

// greet opens an AMQP connection and gives it with the cluster's name that the
// server's first frame tells; an empty name means that it was closed.
func (w *world) greet(port int, serverName string) (net.Conn, string) {
	w.t.Helper()
	conn, err := tls.Dial("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)),
		&tls.Config{RootCAs: w.roots(), ServerName: serverName})
	if err != nil {
		w.t.Fatalf("dial port %d: %v", port, err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn, hello(conn)
}

func hello(conn net.Conn) string {
	if _, err := io.WriteString(conn, "AMQP\x00\x00\x09\x01"); err != nil {
		return ""
	}
	b := make([]byte, 4096)
	n, err := io.ReadAtLeast(conn, b, 64)
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(b[:n]), "cluster_nameS")
	if !ok || len(rest) < 4 {
		return "?"
	}
	size := int(rest[3])
	return rest[4 : 4+size]
}

// closed fails unless the server ends the connection.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
		t.Error("the connection is still open")
	}
}

// snapshot reads a whole directory.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// same fails when a directory changed.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, text := range before {
		if now, ok := after[name]; !ok {
			t.Errorf("%s is gone", name)
		} else if now != text {
			t.Errorf("%s changed: %s", name, fmt.Sprint(len(text), " to ", len(now), " bytes"))
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
}
