package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/listen/listentest"
	"coffer/internal/service/mq"
	"coffer/internal/tlsx"
)

// TestNothingIsLeft: a stopped process leaves no goroutine. It is not parallel:
// it looks at every goroutine there is.
func TestNothingIsLeft(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.InsecureLoopback = true; ownFiles(t, c) })
	id, _ := w.create("second")
	conn, _ := w.greet(w.endpoints().AMQP, "localhost")
	w.call("POST", "/v1/brokers/"+id+"/reboot", nil)
	w.stop()
	closed(t, conn)
	left := ""
	late := time.Now().Add(time.Minute)
	for time.Now().Before(late) { // what was waited for may still be unwinding
		stacks := make([]byte, 1<<20)
		left = ""
		for g := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			ours := strings.Contains(g, "coffer/internal") || strings.Contains(g, "pebble")
			waits := strings.Contains(g, "testing.(*T).Parallel") // a test of another file
			if ours && !waits && !strings.Contains(g, "TestNothingIsLeft") {
				left += g + "\n\n"
			}
		}
		if left == "" {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("left:\n%s", left)
}

// TestPorts: the first broker has the standard port, each other one of its own
// for life, until there is none.
func TestPorts(t *testing.T) {
	t.Parallel()
	low := listentest.Ports(t, 6)
	w := newWorld(t, func(c *Config) {
		c.AutoPorts = false
		c.BrokerPorts = fmt.Sprintf("%d-%d", low, low+1)
		c.APIPort, c.AMQPPort, c.MetricsPort = low+2, low+3, low+4
		c.ManagementPort = low + 5
	})
	one, port1 := w.create("one")
	two, port2 := w.create("two")
	if port1 != low || port2 != low+1 || w.endpoints().Brokers[w.main()] != w.cfg.AMQPPort {
		t.Fatalf("ports %d and %d of %d: %+v", port1, port2, low, w.endpoints())
	}
	status, out := w.call("POST", "/v1/brokers", createBody("three"))
	if status != 429 || !strings.Contains(fmt.Sprint(out), "--broker-ports") {
		t.Errorf("%d %v", status, out)
	}
	if status, out := w.call("DELETE", "/v1/brokers/"+one, nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.n.fleet.work.Wait()
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(low))); err == nil {
		conn.Close()
		t.Error("the port of a deleted broker is open")
	}
	w.stop()
	w.start()
	if got := w.endpoints().Brokers; len(got) != 2 || got[two] != port2 {
		t.Errorf("after the restart: %v", got)
	}
	three, port3 := w.create("three")
	if port3 != low {
		t.Errorf("port %d, want the free one %d", port3, low)
	}
	for id, port := range map[string]int{two: port2, three: port3, w.main(): w.cfg.AMQPPort} {
		if _, name := w.greet(port, "localhost"); name != id {
			t.Errorf("port %d leads to %q, want %q", port, name, id)
		}
	}
}

// TestServerName: the standard port leads to the broker that the server name
// asks for, else to its own.
func TestServerName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id, _ := w.create("second")
	standard := w.endpoints().AMQP
	for name, want := range map[string]string{
		"localhost": w.main(), id + ".localhost": id, id[2:] + ".localhost": id,
		w.main() + ".localhost":                            w.main(),
		"b-0d8e3a5e-6f1f-4b70-9f7e-000000000000.localhost": "",
		"0d8e3a5e-6f1f-4b70-9f7e-000000000000.localhost":   "",
		"b-00000000-0000-0000-0000-000000000000.localhost": "",
		"x.localhost": w.main(),
	} {
		if _, got := w.greet(standard, name); got != want {
			t.Errorf("%s leads to %q, want %q", name, got, want)
		}
	}
	if status, out := w.call("DELETE", "/v1/brokers/"+id, nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.n.fleet.work.Wait()
	if _, got := w.greet(standard, id+".localhost"); got != "" {
		t.Errorf("the name of a deleted broker leads to %q", got)
	}
}

// TestReboot ends the broker's connections, however they came, and no others;
// the port stays.
func TestReboot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id, port := w.create("second")
	standard := w.endpoints().AMQP
	byPort, _ := w.greet(port, "localhost")
	byName, _ := w.greet(standard, id+".localhost")
	other, _ := w.greet(standard, "localhost")
	if status, out := w.call("POST", "/v1/brokers/"+id+"/reboot", nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	closed(t, byPort)
	closed(t, byName)
	w.n.fleet.work.Wait()
	if got := w.endpoints().Brokers[id]; got != port {
		t.Errorf("port %d, before %d", got, port)
	}
	if _, name := w.greet(port, "localhost"); name != id {
		t.Errorf("after the reboot the port leads to %q", name)
	}
	if status, out := w.call("GET", "/v1/brokers/"+id, nil); out["brokerState"] != "RUNNING" {
		t.Errorf("%d %v", status, out)
	}
	if err := other.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Errorf("another broker's connection: %v", err)
	}
}

// TestDeleteMain: broker main is made once in a directory's life; connections
// of a deleted broker end, however they came, and others' stay.
func TestDeleteMain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id, _ := w.create("second")
	standard := w.endpoints().AMQP
	main, _ := w.greet(standard, "localhost")
	if status, out := w.call("DELETE", "/v1/brokers/"+w.main(), nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	closed(t, main)
	w.n.fleet.work.Wait()
	if e := w.endpoints(); e.AMQP != 0 || len(e.Brokers) != 1 {
		t.Errorf("%+v", e)
	}
	if _, name := w.greet(standard, id+".localhost"); name != id {
		t.Errorf("by name the standard port leads to %q", name)
	}
	if _, name := w.greet(standard, "localhost"); name != "" {
		t.Errorf("the standard port leads to %q", name)
	}
	w.stop()
	w.start()
	if e := w.endpoints(); e.AMQP != 0 || len(e.Brokers) != 1 {
		t.Errorf("after the restart: %+v", e)
	}
	if _, err := Env(t.Context(), w.cfg.Data); err != nil {
		t.Error(err)
	}
	next, port := w.create("next")
	if port != w.n.fleet.door.Port() {
		t.Errorf("the standard port is free, and %s has %d", next, port)
	}
	byName, _ := w.greet(port, id+".localhost")
	if status, out := w.call("DELETE", "/v1/brokers/"+id, nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	closed(t, byName)
}

// TestHalfAFirstStart: files of a first start that did not get to its commits
// do not count.
func TestHalfAFirstStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	halves := []string{".tmp-1", fileRootKey + ".new-X"}
	for _, name := range append(halves, fileMainAdmin, fileCredentials, fileEndpoints) {
		if err := os.WriteFile(filepath.Join(data, name), []byte("stale"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, func(c *Config) { c.Data = data })
	if strings.Contains(w.file(fileMainAdmin)+w.file(fileCredentials), "stale") {
		t.Error("a stale file is in use")
	}
	for _, name := range halves {
		if _, err := os.Stat(filepath.Join(data, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left: %v", name, err)
		}
	}
	status, out := w.call("GET", "/v1/brokers", nil)
	if list, _ := out["brokerSummaries"].([]any); status != 200 || len(list) != 1 {
		t.Errorf("%d %v", status, out)
	}
}

// TestLargestMessage: a body of RabbitMQ's default limit passes, with properties.
func TestLargestMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	url := fmt.Sprintf("amqps://admin:%s@localhost:%d/",
		strings.TrimSpace(w.file(fileMainAdmin)), w.endpoints().AMQP)
	conn, err := amqp.DialTLS(url, &tls.Config{RootCAs: w.roots()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err == nil {
		_, err = ch.QueueDeclare("large", true, false, false, false, nil)
	}
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := ch.PublishWithDeferredConfirm("", "large", false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Body: make([]byte, 16<<20),
		Headers: amqp.Table{"h": strings.Repeat("x", 100<<10)},
	})
	if err != nil || !confirmed.Wait() {
		t.Fatalf("publish: %v", err)
	}
	m, ok, err := ch.Get("large", true)
	if err != nil || !ok || len(m.Body) != 16<<20 {
		t.Errorf("got %d octets, %v, %v", len(m.Body), ok, err)
	}
}

// TestManyAtOnce: brokers made, rebooted and deleted at the same time leave
// what was asked for, and endpoints.json says so.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var ids []string
	for i := range 4 {
		status, out := w.call("POST", "/v1/brokers", createBody(fmt.Sprint("b", i)))
		if status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		ids = append(ids, out["brokerId"].(string))
	}
	for i, id := range ids { // some are still starting
		parsed, _ := w.n.fleet.named(id + ".localhost")
		w.n.fleet.Reboot(mq.Running{ID: parsed})
		w.n.fleet.Reboot(mq.Running{ID: parsed})
		if i%2 == 0 {
			if status, out := w.call("DELETE", "/v1/brokers/"+id, nil); status != 200 {
				t.Errorf("%d %v", status, out)
			}
			w.n.fleet.Reboot(mq.Running{ID: parsed})
		}
	}
	w.n.fleet.work.Wait()
	got := w.endpoints().Brokers
	if len(got) != 3 || got[ids[0]] != 0 || got[ids[2]] != 0 {
		t.Fatalf("%v", got)
	}
	ports := []int{}
	for id, port := range got {
		if _, name := w.greet(port, "localhost"); name != id {
			t.Errorf("port %d leads to %q, want %q", port, name, id)
		}
		ports = append(ports, port)
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 3 {
		t.Errorf("%v", got)
	}
}

// TestRetracted: nothing writes endpoints.json after the stop began.
func TestRetracted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.n.retract(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.n.rewrite()
	if _, err := os.Stat(filepath.Join(w.cfg.Data, fileEndpoints)); err == nil {
		t.Error("endpoints.json is back")
	}
}

// ownFiles gives a configuration certificate files of its own.
func ownFiles(t *testing.T, c *Config) {
	t.Helper()
	dir := t.TempDir()
	c.TLSCert = []string{filepath.Join(dir, "cert.pem")}
	c.TLSKey = []string{filepath.Join(dir, "key.pem")}
	certify(t, c)
}

// certify writes a new certificate.
func certify(t *testing.T, c *Config) {
	t.Helper()
	cert, key := selfSigned(t)
	if err := os.WriteFile(c.TLSCert[0], cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.TLSKey[0], key, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOwnCertificates are used, and reloaded without a restart; files that
// cannot be used leave the old ones.
func TestOwnCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { ownFiles(t, c) })
	old := w.file(fileCA)
	open, name := w.greet(w.endpoints().AMQP, "localhost")
	if name != w.main() {
		t.Errorf("leads to %q", name)
	}
	certify(t, &w.cfg)
	w.n.Reload()
	if w.file(fileCA) == old {
		t.Error("ca.pem is the old one")
	}
	if _, name := w.greet(w.endpoints().AMQP, "localhost"); name != w.main() {
		t.Errorf("leads to %q", name)
	}
	if status, out := w.call("GET", "/v1/brokers", nil); status != 200 {
		t.Errorf("%d %v", status, out)
	}
	if err := os.WriteFile(w.cfg.TLSCert[0], []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.n.Reload()
	if _, name := w.greet(w.endpoints().AMQP, "localhost"); name != w.main() {
		t.Errorf("with a broken file leads to %q", name)
	}
	if !strings.Contains(w.log.String(), "could not be reloaded") {
		t.Error("not logged")
	}
	if err := open.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Errorf("the open connection: %v", err)
	}
	w.stop()
	if err := refused(t, w.cfg); !strings.Contains(err.Error(), "--tls-cert") {
		t.Error(err)
	}
}

// TestVisits: connections that do not leave are cut, and none comes in later.
func TestVisits(t *testing.T) {
	t.Parallel()
	v := newVisits(func(_ context.Context, conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("read")
		}
	})
	ours, theirs := net.Pipe()
	defer theirs.Close()
	entered := make(chan struct{})
	left := make(chan struct{})
	go func() {
		defer close(left)
		close(entered)
		v.handle(context.Background(), ours)
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v.end(ctx)
	ours.Close() // if it was not let in any more
	<-left
	v.serve = func(context.Context, net.Conn) { t.Error("let in") }
	v.handle(context.Background(), ours)
}

// selfSigned gives a certificate for localhost and its key, in PEM.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	ca, err := tlsx.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tlsx.NewLeaves(ca, tlsx.LeavesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(t, ca, leaves)
}
