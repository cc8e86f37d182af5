// Package link connects Coffer with a real RabbitMQ over TLS by what both have for it:
// shovels and federation of either, in either direction, and compares what both say of
// wrong definitions.
package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/process"
	"coffer/test/rabbitmq"
)

// patience is how long one step may take, on a machine that does much else.
const patience = 5 * time.Minute

type object = map[string]any

// end is one of the two brokers.
type end struct {
	t              *testing.T
	name           string
	uri            string // of its AMQP port with TLS
	ca             string // file
	api            string
	user, password string
	client         *http.Client
}

// scene starts both.
func scene(t *testing.T) (coffer, rabbit *end) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := rabbitmq.Start(ctx, rabbitmq.Config{
		Users: []rabbitmq.User{{Name: "guest", Password: "guest"}}, TLS: true, HTTP: true,
		Plugins: []string{"rabbitmq_management", "rabbitmq_shovel", "rabbitmq_federation",
			"rabbitmq_shovel_management", "rabbitmq_federation_management"},
	})
	if errors.Is(err, rabbitmq.ErrMissing) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	rabbit = &end{
		t: t, name: "rabbitmq", uri: "amqps://guest:guest@" + r.TLS, ca: r.CA,
		api: "http://" + r.HTTP, user: "guest", password: "guest", client: http.DefaultClient,
	}
	dir := t.TempDir()
	binary, err := process.Build(ctx, dir)
	must(t, err)
	data := filepath.Join(dir, "data")
	p, err := process.Start(ctx, binary, data)
	must(t, err)
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(p.Log())
			t.Log(r.Log())
		}
	})
	return ofCoffer(t, data), rabbit
}

func ofCoffer(t *testing.T, data string) *end {
	t.Helper()
	file := func(name string) string {
		b, err := os.ReadFile(filepath.Join(data, name))
		must(t, err)
		return strings.TrimSpace(string(b))
	}
	var ports struct{ AMQP, Management int }
	must(t, json.Unmarshal([]byte(file("endpoints.json")), &ports))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(file("ca.pem")))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &end{
		t: t, name: "coffer", ca: filepath.Join(data, "ca.pem"),
		uri: fmt.Sprintf("amqps://admin:%s@localhost:%d", file("main-admin"), ports.AMQP),
		api: fmt.Sprintf("https://localhost:%d", ports.Management), user: "admin",
		password: file("main-admin"), client: &http.Client{Transport: transport},
	}
}

// of gives the end for a test of its own.
func (e *end) of(t *testing.T) *end {
	other := *e
	other.t = t
	return &other
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// from is the URI by which the other one reaches this one.
func (e *end) from() string {
	return e.uri + "/%2f?verify=verify_peer&server_name_indication=" + e.host() +
		"&cacertfile=" + e.ca
}

func (e *end) host() string {
	if e.name == "coffer" {
		return "localhost"
	}
	return "127.0.0.1"
}

// ask calls the management API.
func (e *end) ask(method, path string, body any) (int, []byte) {
	e.t.Helper()
	text, err := json.Marshal(body)
	must(e.t, err)
	r, err := http.NewRequestWithContext(e.t.Context(), method, e.api+"/api/"+path,
		bytes.NewReader(text))
	must(e.t, err)
	r.SetBasicAuth(e.user, e.password)
	resp, err := e.client.Do(r)
	must(e.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(e.t, err)
	return resp.StatusCode, answer
}

func (e *end) put(path string, body any) {
	e.t.Helper()
	if status, answer := e.ask("PUT", path, body); status/100 != 2 {
		e.t.Fatalf("%s: PUT %s: %d %s", e.name, path, status, answer)
	}
}

func (e *end) parameter(component, name string, value object) {
	e.t.Helper()
	value["reconnect-delay"] = 1
	e.put("parameters/"+component+"/%2F/"+name, object{"value": value})
}

func (e *end) policy(name, pattern string, definition object) {
	e.t.Helper()
	e.put("policies/%2F/"+name, object{"pattern": pattern, "definition": definition})
}

// channel opens a channel of a client.
func (e *end) channel() *amqp.Channel {
	e.t.Helper()
	pem, err := os.ReadFile(e.ca)
	must(e.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := amqp.DialTLS(e.uri+"/%2f", &tls.Config{RootCAs: pool})
	must(e.t, err)
	e.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	must(e.t, err)
	must(e.t, ch.Confirm(false))
	return ch
}

func (e *end) queue(ch *amqp.Channel, name string) {
	e.t.Helper()
	_, err := ch.QueueDeclare(name, true, false, false, false, nil)
	must(e.t, err)
}

func (e *end) send(ch *amqp.Channel, exchange, key, body string) {
	e.t.Helper()
	d, err := ch.PublishWithDeferredConfirmWithContext(e.t.Context(), exchange, key, false, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
	must(e.t, err)
	if !d.Wait() {
		e.t.Fatal("refused")
	}
}

func (e *end) consume(ch *amqp.Channel, queue string) <-chan amqp.Delivery {
	e.t.Helper()
	d, err := ch.Consume(queue, "", true, false, false, false, nil)
	must(e.t, err)
	return d
}

func (e *end) next(d <-chan amqp.Delivery) amqp.Delivery {
	e.t.Helper()
	select {
	case m, ok := <-d:
		if !ok {
			e.t.Fatalf("%s: deliveries ended", e.name)
		}
		return m
	case <-time.After(patience):
		e.t.Fatalf("%s: nothing came", e.name)
	}
	panic("unreachable")
}

// awaitLinks waits until a list of the API has n elements, all of them running.
func (e *end) awaitLinks(path, field string, n int) {
	e.t.Helper()
	late := time.After(patience)
	for {
		_, answer := e.ask("GET", path, nil)
		var list []object
		must(e.t, json.Unmarshal(answer, &list))
		running := 0
		for _, l := range list {
			if l[field] == "running" {
				running++
			}
		}
		if running == n && len(list) == n {
			return
		}
		select {
		case <-late:
			e.t.Fatalf("%s: %s: %s", e.name, path, answer)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestWithRabbitMQ has each of both shovel from and to the other, and federate exchanges
// and queues of the other.
func TestWithRabbitMQ(t *testing.T) {
	coffer, rabbit := scene(t)
	for _, c := range []struct {
		name        string
		here, there *end
	}{
		{"coffer's", coffer, rabbit}, {"rabbitmq's", rabbit, coffer},
	} {
		t.Run(c.name+" shovels", func(t *testing.T) { shovels(c.here.of(t), c.there.of(t)) })
		t.Run(c.name+" federation", func(t *testing.T) { federation(c.here.of(t), c.there.of(t)) })
	}
	t.Run("wrong definitions", func(t *testing.T) { compare(t, coffer.of(t), rabbit.of(t)) })
}

// shovels moves messages there and back by shovels of one.
func shovels(here, there *end) {
	h := here.channel()
	here.queue(h, here.name+"-src")
	here.queue(h, here.name+"-dst")
	here.parameter("shovel", "out", object{
		"src-uri": "amqp://", "src-queue": here.name + "-src",
		"dest-uri": there.from(), "dest-queue": here.name + "-far",
		"dest-add-forward-headers": true,
	})
	here.parameter("shovel", "in", object{
		"src-uri": there.from(), "src-queue": here.name + "-far",
		"dest-uri": "amqp://", "dest-exchange": "", "dest-exchange-key": here.name + "-dst",
	})
	here.awaitLinks("shovels", "state", 2)
	d := here.consume(h, here.name+"-dst")
	for i := range 50 {
		here.send(h, "", here.name+"-src", fmt.Sprint(i))
	}
	for i := range 50 {
		m := here.next(d)
		way, _ := m.Headers["x-shovelled"].([]any)
		if string(m.Body) != fmt.Sprint(i) || len(way) != 1 {
			here.t.Fatalf("%s: %s at %d, %v", here.name, m.Body, i, m.Headers)
		}
	}
	for _, name := range []string{"out", "in"} {
		if status, answer := here.ask("DELETE", "parameters/shovel/%2F/"+name, nil); status != 204 {
			here.t.Errorf("%d %s", status, answer)
		}
	}
	here.awaitLinks("shovels", "state", 0)
}

// federation brings what an exchange and a queue there get to those here.
func federation(here, there *end) {
	h, th := here.channel(), there.channel()
	x, q := here.name+"-x", here.name+"-q"
	must(here.t, h.ExchangeDeclare(x, "topic", true, false, false, false, nil))
	here.queue(h, here.name+"-bound")
	must(here.t, h.QueueBind(here.name+"-bound", "a.*", x, false, nil))
	here.queue(h, q)
	here.parameter("federation-upstream", "u", object{"uri": there.from()})
	here.policy("f", "^"+here.name+"-[xq]$", object{"federation-upstream-set": "all"})
	here.awaitLinks("federation-links", "status", 2)
	there.send(th, x, "b.1", "not bound")
	there.send(th, x, "a.1", "bound")
	m := here.next(here.consume(h, here.name+"-bound"))
	if string(m.Body) != "bound" || m.RoutingKey != "a.1" || m.Headers["x-received-from"] == nil {
		here.t.Errorf("%s: %s %s %v", here.name, m.RoutingKey, m.Body, m.Headers)
	}
	d := here.consume(h, q)
	for i := range 20 {
		there.send(th, "", q, fmt.Sprint(i))
	}
	for i := range 20 {
		if m := here.next(d); string(m.Body) != fmt.Sprint(i) {
			here.t.Errorf("%s: %s at %d", here.name, m.Body, i)
		}
	}
	here.ask("DELETE", "policies/%2F/f", nil)
	here.awaitLinks("federation-links", "status", 0)
}
