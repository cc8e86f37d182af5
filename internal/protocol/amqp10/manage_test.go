package amqp10

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/protocoltest"
)

// oldEngine is the test engine for the rules of AMQP 0-9-1.
type oldEngine struct{ *testEngine }

func (e oldEngine) Permit(
	user, vhost string, kind amqp091.Resource, name string, action amqp091.Action,
) error {
	return e.testEngine.Permit(user, vhost, string(kind), name, string(action))
}

// manage starts a server with a management node and attaches a pair of links to it.
func manage(t *testing.T, e *testEngine) (*service, *peer) {
	t.Helper()
	old, err := amqp091.New(amqp091.Config{Engine: oldEngine{e}, Logger: protocoltest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	s := serveTest(t, e, Config{
		Lead: amqp091.Lead,
		Topology: func(ctx context.Context, c Client, s *broker.Session) Topology {
			return old.Agent(ctx, amqp091.Client{User: c.User, VHost: c.VHost}, s)
		},
	})
	p := openPeer(t, s)
	p.pair()
	return s, p
}

// pair attaches handles 10 and 11 to the management node.
func (p *peer) pair() {
	p.t.Helper()
	props, at := wire.OpenMap(nil)
	props = wire.CloseMap(wire.AppendBool(wire.AppendSymbol(props, "paired"), true), at, 1)
	to, from := sender(10, managementNode), receiver(11, managementNode)
	for _, m := range []*wire.Attach{to, from} {
		m.Name, m.Properties = []byte("pair"), props
		p.attach(m)
	}
	p.credit(11, 0, 100, false)
}

// mapOf encodes a map of strings to values.
func mapOf(pairs ...any) wire.Raw {
	b, at := wire.OpenMap(nil)
	for i, x := range pairs {
		switch x := x.(type) {
		case string:
			b = wire.AppendString(b, x)
		case bool:
			b = wire.AppendBool(b, x)
		case int:
			b = wire.AppendUlong(b, uint64(x))
		case wire.Raw:
			b = append(b, x...)
		default:
			panic(fmt.Sprint(i, x))
		}
	}
	return wire.CloseMap(b, at, len(pairs)/2)
}

// ask sends a request and gives the status and the body of the answer.
func (p *peer) ask(request string, body wire.Raw) (code string, reply wire.Raw) {
	p.t.Helper()
	method, to, _ := strings.Cut(request, " ")
	q := wire.Properties{
		MessageID: text("id-" + request), To: text(to), Subject: []byte(method),
		ReplyTo: text("$me"),
	}
	if body == nil {
		body = wire.AppendNull(nil)
	}
	message := append(q.Append(nil), wire.AppendDescriptor(nil, wire.CodeAmqpValue)...)
	p.transfer(10, 0, true, string(append(message, body...)))
	r := p.receive()
	if err := q.Parse(r.message.Bare.Properties); err != nil {
		p.t.Fatal(err)
	}
	if id, _ := q.CorrelationID.Text(); string(id) != "id-"+request {
		p.t.Errorf("the answer to %s is one to %s", request, id)
	}
	return string(q.Subject), r.message.Bare.Value()
}

func TestManagement(t *testing.T) {
	t.Parallel()
	_, p := manage(t, newEngine(t))
	quorum := mapOf("arguments", mapOf("x-queue-type", "quorum", "x-max-length", 5))
	for _, x := range []struct {
		request string
		body    wire.Raw
		want    string // status, and what the answer holds
	}{
		{"PUT /queues/a%2Fb", quorum, "201 quorum"},
		{"PUT /queues/a%2Fb", quorum, "200 a/b"},
		{"PUT /queues/a%2Fb", mapOf("arguments", mapOf("x-queue-type", "classic")),
			"409 inequivalent arg 'x-max-length'"},
		{"GET /queues/a%2Fb", nil, "200 x-max-length"},
		{"GET /queues/none", nil, "404 queue 'none' in vhost '/' not found"},
		{"PUT /queues/", mapOf(), "400 declare queue with empty name"},
		{"PUT /queues/amq.x", mapOf(),
			"403 queue 'amq.x' in vhost '/' starts with reserved prefix"},
		{"PUT /queues/x%0A", mapOf(), "400 Bad name"},
		{"PUT /queues/x", mapOf("colour", true), "400 bad queue property colour"},
		{"PUT /queues/x", mapOf("durable", "yes"), "400 bad queue property durable"},
		{"PUT /queues/x", nil, "400 bad request body"},
		{"PUT /queues/x", mapOf("arguments", mapOf("x-expires", "soon")),
			"400 invalid arg 'x-expires'"},
		{"PUT /exchanges/e", mapOf("type", "topic"), "204"},
		{"PUT /exchanges/e", mapOf("type", "fanout"), "409 inequivalent arg 'type'"},
		{"PUT /exchanges/f", mapOf("type", "no"), "400 unknown exchange type 'no'"},
		{"PUT /exchanges/amq.topic", mapOf("type", "topic"), "204"},
		{"PUT /exchanges/amq.new", mapOf(), "403 exchange 'amq.new'"},
		{"DELETE /exchanges/amq.topic", nil, "403 exchange 'amq.topic'"},
		{"POST /bindings", mapOf("source", "e", "destination_queue", "a/b", "binding_key", "k.*",
			"arguments", mapOf()), "204"},
		{"POST /bindings", mapOf("source", "e", "destination_queue", "none", "binding_key", "",
			"arguments", mapOf()), "404 no queue 'none'"},
		{"POST /bindings", mapOf("source", "", "destination_queue", "a/b"), "403"},
		{"GET /bindings?src=e&dstq=a%2Fb&key=k.%2A", nil,
			"200 /bindings/src=e;dstq=a%2Fb;key=k.%2A;args="},
		{"GET /bindings?src=e", nil, "400 missing 'dste' or 'dstq'"},
		{"DELETE /bindings/src=e;dstq=a%2Fb;key=k.%2A;args=", nil, "204"},
		{"DELETE /bindings/src=e", nil, "400 bad binding path segment"},
		{"GET /bindings?src=e&dstq=a%2Fb&key=k.%2A", nil, "200"},
		{"DELETE /queues/a%2Fb/messages", nil, "200 message_count"},
		{"DELETE /queues/none/messages", nil, "404 no queue 'none'"},
		{"DELETE /exchanges/e", nil, "204"},
		{"DELETE /queues/a%2Fb", nil, "200 message_count"},
		{"DELETE /queues/a%2Fb", nil, "200 message_count"},
		{"PATCH /queues/x", nil, "404 no PATCH"},
		{"GET nowhere", nil, "400 failed to normalize URI"},
	} {
		code, reply := p.ask(x.request, x.body)
		status, holds, _ := strings.Cut(x.want, " ")
		if code != status || !strings.Contains(string(reply), holds) {
			t.Errorf("%s: %s %q, want %s", x.request, code, reply, x.want)
		}
	}
}

// Who may not is told so with the end of the session.
func TestManagementDenied(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Denied["queue q configure"] = true
	_, p := manage(t, e)
	q := wire.Properties{To: text("/queues/q"), Subject: []byte("PUT")}
	message := append(q.Append(nil), wire.AppendDescriptor(nil, wire.CodeAmqpValue)...)
	p.transfer(10, 0, true, string(append(message, mapOf()...)))
	p.wants("end amqp:unauthorized-access configure access to queue 'q' in vhost '/' refused")
}

// Half a pair, and links that are no pair.
func TestManagementPairs(t *testing.T) {
	t.Parallel()
	s, _ := manage(t, newEngine(t))
	p := openPeer(t, s)
	p.send(0, sender(1, managementNode))
	p.wants("detach amqp:precondition-failed expected 'paired'")
	p = openPeer(t, s)
	p.send(0, receiver(1, managementNode))
	p.wants("detach amqp:precondition-failed expected 'paired'")
	p = openPeer(t, s)
	p.pair()
	p.send(0, &wire.Detach{Handle: 11, Closed: true})
	p.await(wire.CodeDetach, &wire.Detach{})
	p.transfer(10, 0, true, data("x"))
	p.wants("end amqp:precondition-failed received transfer")
}

// An exclusive queue that is declared here is the connection's own, and headers lead
// messages of this protocol, too.
func TestManagedRouting(t *testing.T) {
	t.Parallel()
	s, p := manage(t, newEngine(t))
	if code, _ := p.ask("PUT /queues/own", mapOf("exclusive", true)); code != "201" {
		t.Fatal(code)
	}
	binding := mapOf("source", "amq.headers", "destination_queue", "own", "binding_key", "",
		"arguments", mapOf("x-match", "all", "n", 7))
	if code, reply := p.ask("POST /bindings", binding); code != "204" {
		t.Fatal(code, string(reply))
	}
	p.attach(sender(0, "/exchanges/amq.headers"))
	for id, n := range []int{6, 7} {
		app := wire.AppendDescriptor(nil, wire.CodeApplicationProperties)
		app = append(app, mapOf("n", n)...)
		p.transfer(0, uint32(id), false, string(app)+data("x"))
		want := []string{"disposition released", "disposition accepted"}[id]
		if got := p.outcome(); got != want {
			t.Errorf("n=%d: %s", n, got)
		}
	}
	other := openPeer(t, s)
	other.send(0, receiver(1, "/queues/own"))
	other.wants("detach amqp:resource-locked")
}

// wants reads up to what ends something, which must begin so.
func (p *peer) wants(prefix string) {
	p.t.Helper()
	if got := p.outcome(); !strings.HasPrefix(got, prefix) {
		p.t.Errorf("got %q, want %q", got, prefix)
	}
}
