package amqp10

import (
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// only gives the one connection that there is.
func only(t *testing.T, s *service) ConnectionInfo {
	t.Helper()
	list := s.server.Connections()
	if len(list) != 1 {
		t.Fatalf("%d connections: %+v", len(list), list)
	}
	return list[0]
}

// TestConnectionInfo shows a connection, its links, and what was counted.
func TestConnectionInfo(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	if _, _, err := s.Namespace.DeclareQueue(t.Context(), nil,
		broker.QueueSpec{Name: "q", Durable: true}); err != nil {
		t.Fatal(err)
	}
	p := openPeer(t, s)
	p.attach(sender(0, "/queues/q"))
	p.transfer(0, 0, false, data("one"))
	p.await(wire.CodeDisposition, &wire.Disposition{})
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 5, false)
	p.receive()
	i := only(t, s)
	if i.User != "u" || i.VHost != "/" || i.ContainerID != "c" || i.Mechanism != "PLAIN" ||
		i.State != "running" || i.Sessions != 1 || i.Senders != 1 || i.Receivers != 1 ||
		i.TLS != nil || i.Session == nil || i.Received.Octets < 100 || i.Sent.Calls < 3 {
		t.Errorf("%+v", i)
	}
	if i.Name != p.conn.LocalAddr().String()+" -> "+s.addr || i.Peer.Port == i.Host.Port {
		t.Errorf("%+v", i)
	}
	want := Totals{
		Published: 1, Unsettled: 1, Told: 1, Delivered: 1, ConnectionsOpened: 1,
		SessionsOpened: 1, LoginsAccepted: 1,
	}
	if got := s.server.Totals(); got != want {
		t.Errorf("%+v", got)
	}
}

// TestCloseConnection: the client hears the reason; what was counted stays.
func TestCloseConnection(t *testing.T) {
	t.Parallel()
	gone := make(chan bool, 1)
	s := serveTest(t, newEngine(t), Config{Events: Events{
		Closed: func(Client, error) { gone <- true },
	}})
	p := openPeer(t, s)
	if s.server.CloseConnection("nobody", "why") {
		t.Error("closed nobody")
	}
	if !s.server.CloseConnection(only(t, s).Name, "go home") {
		t.Error("there was nobody")
	}
	got := p.outcome()
	if !strings.HasPrefix(got, "close amqp:connection:forced") ||
		!strings.Contains(got, "go home") {
		t.Error(got)
	}
	p.send(0, &wire.Close{})
	if got := p.outcome(); got != "eof" {
		t.Error(got)
	}
	<-gone
	if list := s.server.Connections(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	want := Totals{
		ConnectionsOpened: 1, ConnectionsClosed: 1, SessionsOpened: 1, SessionsClosed: 1,
		LoginsAccepted: 1,
	}
	if got := s.server.Totals(); got != want {
		t.Errorf("%+v", got)
	}
}
