package amqp091

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/amqp091/wire"
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

func TestConnectionInfo(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	s := serveTest(t, newEngine(t), Config{})
	conn, err := amqp.DialConfig("amqp://"+s.addr, amqp.Config{
		FrameSize: 8192, ChannelMax: 9, Heartbeat: 20 * time.Second,
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: "u", Password: "p"}},
		Properties: amqp.Table{"connection_name": "me", "n": int32(7), "t": amqp.Table{"x": true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	i := only(t, s)
	if i.ClientName != "me" || i.User != "u" || i.VHost != "/" || i.Mechanism != "PLAIN" ||
		i.FrameMax != 8192 || i.ChannelMax != 9 || i.Heartbeat != 20*time.Second ||
		i.State != "running" || i.TLS != nil || len(i.Channels) != 0 {
		t.Errorf("%+v", i)
	}
	if i.Name != conn.LocalAddr().String()+" -> "+s.addr ||
		i.Peer.Host != "127.0.0.1" || i.Peer.Port == 0 || i.Peer == i.Host {
		t.Errorf("%+v", i)
	}
	if i.ConnectedAt.Before(begun) || i.ConnectedAt.After(time.Now()) {
		t.Error(i.ConnectedAt)
	}
	if i.Properties["n"] != int64(7) ||
		!reflect.DeepEqual(i.Properties["t"], map[string]any{"x": true}) {
		t.Errorf("%+v", i.Properties)
	}
	if i.Received.Octets < 100 || i.Received.Calls < 2 || i.Sent.Octets < 100 || i.Sent.Calls < 2 {
		t.Errorf("%+v %+v", i.Received, i.Sent)
	}
}

// TestChannelInfo shows what channels hold and count.
func TestChannelInfo(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.must(c.Qos(7, 0, false))
	d, err := c.Consume("q", "tag", false, true, false, false, amqp.Table{"x-priority": int32(3)})
	c.must(err)
	c.must(c.Qos(100, 0, true))
	c.put("q", "1", "2", "3", "4")
	for range 4 {
		next(t, d)
	}
	c.must(c.Ack(2, true))
	c.must(c.Nack(3, false, true))
	if m := next(t, d); !m.Redelivered {
		t.Errorf("%+v", m)
	}
	other, err := c.conn.Channel()
	c.must(err)
	c.must(other.Confirm(false))
	returns := other.NotifyReturn(make(chan amqp.Return, 1))
	for _, mandatory := range []bool{true, false} {
		a, err := other.PublishWithDeferredConfirmWithContext(t.Context(), "amq.direct", "nowhere",
			mandatory, false, amqp.Publishing{})
		c.must(err)
		if ok, err := a.WaitContext(t.Context()); !ok || err != nil {
			t.Error(ok, err)
		}
	}
	receive(t, returns)
	channels := only(t, s).Channels
	if len(channels) != 2 {
		t.Fatalf("%+v", channels)
	}
	one, two := channels[0], channels[1]
	if one.Number != 1 || one.Prefetch != 7 || one.GlobalPrefetch != 100 || one.Unacked != 2 ||
		one.Confirm || one.Transactional || time.Since(one.IdleSince) > patience {
		t.Errorf("%+v", one)
	}
	if want := (MessageCounts{Publish: 4, Deliver: 5, Redeliver: 1, Ack: 2}); one.Counts != want {
		t.Errorf("%+v", one.Counts)
	}
	if want := []ConsumerInfo{{
		Tag: "tag", Queue: "q", AckRequired: true, Prefetch: 7, Exclusive: true, Active: true,
		ActivityStatus: "up", Arguments: map[string]any{"x-priority": int64(3)},
	}}; !reflect.DeepEqual(one.Consumers, want) {
		t.Errorf("%+v", one.Consumers)
	}
	if !two.Confirm || two.Unconfirmed != 0 || two.Number != 2 || len(two.Consumers) != 0 {
		t.Errorf("%+v", two)
	}
	want := MessageCounts{Publish: 2, Confirm: 2, ReturnUnroutable: 1, DropUnroutable: 1}
	if two.Counts != want {
		t.Errorf("%+v", two.Counts)
	}
}

// TestGetCounts counts basic.get by its ways.
func TestGetCounts(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.put("q", "1", "2")
	for _, noAck := range []bool{false, true, true} {
		_, _, err := c.Get("q", noAck)
		c.must(err)
	}
	i := only(t, s).Channels[0]
	if want := (MessageCounts{Publish: 2, Get: 1, GetNoAck: 1, GetEmpty: 1}); i.Counts != want {
		t.Errorf("%+v", i.Counts)
	}
	if i.Unacked != 1 {
		t.Errorf("%+v", i)
	}
}

// TestTransactionInfo counts what a transaction did when it is committed.
func TestTransactionInfo(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.queue("other")
	c.put("other", "1")
	c.must(c.Tx())
	_, _, err := c.Get("other", false)
	c.must(err)
	c.put("q", "1", "2")
	c.must(c.Ack(1, false))
	_, err = c.QueueDeclarePassive("q", true, false, false, false, nil) // all before it is done
	c.must(err)
	i := only(t, s).Channels[0]
	if !i.Transactional || i.Uncommitted != 2 || i.AcksUncommitted != 1 || i.Unacked != 0 ||
		i.Counts != (MessageCounts{Publish: 1, Get: 1}) {
		t.Errorf("%+v", i)
	}
	c.must(c.TxCommit())
	_, err = c.QueueDeclarePassive("q", true, false, false, false, nil)
	c.must(err)
	i = only(t, s).Channels[0]
	if i.Uncommitted != 0 || i.AcksUncommitted != 0 ||
		i.Counts != (MessageCounts{Publish: 3, Get: 1, Ack: 1}) {
		t.Errorf("%+v", i)
	}
}

// TestSingleActiveInfo shows who waits.
func TestSingleActiveInfo(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	_, err := c.QueueDeclare("q", true, false, false, false,
		amqp.Table{"x-single-active-consumer": true})
	c.must(err)
	for _, tag := range []string{"a", "b"} {
		_, err := c.Consume("q", tag, true, false, false, false, nil)
		c.must(err)
	}
	list := only(t, s).Channels[0].Consumers
	if len(list) != 2 || !list[0].Active || list[0].ActivityStatus != "single_active" ||
		list[1].Active || list[1].ActivityStatus != "waiting" || list[1].AckRequired {
		t.Errorf("%+v", list)
	}
}

// TestCloseConnection: the client hears the reason, and only that one.
func TestCloseConnection(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, other := connect(t, s), connect(t, s)
	gone := c.conn.NotifyClose(make(chan *amqp.Error, 1))
	name := c.conn.LocalAddr().String() + " -> " + s.addr
	if s.server.CloseConnection("nobody", "why") {
		t.Error("closed nobody")
	}
	if !s.server.CloseConnection(name, "100%d of it") {
		t.Fatalf("no %s", name)
	}
	if err := receive(t, gone); err.Code != 320 ||
		err.Reason != "CONNECTION_FORCED - 100%d of it" {
		t.Errorf("%+v", err)
	}
	other.queue("q")
}

// TestBlockedInfo: RabbitMQ tells who has published since.
func TestBlockedInfo(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.must(c.Confirm(false))
	blocked := c.conn.NotifyBlocked(make(chan amqp.Blocking, 4))
	s.Domain.Disable()
	receive(t, blocked)
	if i := only(t, s); i.State != "blocking" {
		t.Error(i.State)
	}
	a, err := c.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", false, false,
		amqp.Publishing{})
	c.must(err)
	if ok, err := a.WaitContext(t.Context()); ok || err != nil {
		t.Error(ok, err)
	}
	if i := only(t, s); i.State != "blocked" {
		t.Error(i.State)
	}
	s.Domain.Set(nil)
	receive(t, blocked)
	if i := only(t, s); i.State != "running" {
		t.Error(i.State)
	}
}

// TestTotals: what is counted outlives channels and connections.
func TestTotals(t *testing.T) {
	t.Parallel()
	gone := make(chan Client, 1)
	s := serveTest(t, newEngine(t), Config{Events: Events{
		Closed: func(c Client, _ error) { gone <- c },
	}})
	c := connect(t, s)
	c.queue("q")
	c.queue("q")
	_, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
	c.must(err)
	c.put("q", "1")
	c.must(c.Close())
	ch, err := c.conn.Channel()
	c.must(err)
	c.must(ch.Confirm(false))
	a, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", false, false,
		amqp.Publishing{})
	c.must(err)
	_, err = a.WaitContext(t.Context())
	c.must(err)
	want := Totals{
		Messages: MessageCounts{Publish: 2, Confirm: 1}, PublishConfirm: 1,
		ConnectionsOpened: 1, ChannelsOpened: 2, ChannelsClosed: 1, QueuesDeclared: 2,
		LoginsAccepted: 1,
	}
	if got := s.server.Totals(); got != want {
		t.Errorf("%+v", got)
	}
	if i := only(t, s); i.Ended != (MessageCounts{Publish: 1}) {
		t.Errorf("%+v", i.Ended)
	}
	c.must(c.conn.Close())
	receive(t, gone)
	want.ConnectionsClosed, want.ChannelsClosed = 1, 2
	if got := s.server.Totals(); got != want {
		t.Errorf("%+v", got)
	}
	if list := s.server.Connections(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestUnackedCount holds the number of unsettled deliveries to what is there.
func TestUnackedCount(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	p := openPeer(t, s)
	p.send(1, &wire.TxSelect{})
	await[*wire.TxSelectOk](p)
	p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true})
	await[*wire.QueueDeclareOk](p)
	for range 5 {
		p.write(publishFrames(1, "", "q", "m", 2))
	}
	p.send(1, &wire.TxCommit{})
	await[*wire.TxCommitOk](p)
	p.send(1, &wire.BasicConsume{Queue: "q"})
	await[*wire.BasicConsumeOk](p)
	for n := 0; n < 5; {
		f, err := p.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == wire.FrameBody {
			n++
		}
	}
	settle := func(tag uint64, multiple bool) {
		p.write(wire.AppendAck(nil, 1, tag, multiple))
	}
	settle(2, true)
	settle(4, false)
	p.send(1, &wire.BasicQos{})
	await[*wire.BasicQosOk](p)
	if i := only(t, s).Channels[0]; i.Unacked != 2 || i.AcksUncommitted != 3 {
		t.Errorf("%+v", i)
	}
	p.send(1, &wire.TxRollback{})
	await[*wire.TxRollbackOk](p)
	if i := only(t, s).Channels[0]; i.Unacked != 5 || i.AcksUncommitted != 0 {
		t.Errorf("%+v", i)
	}
}

// TestExchangeCounts counts messages where they are published, and their queues.
func TestExchangeCounts(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	for _, q := range []string{"a", "b"} {
		c.queue(q)
		c.must(c.QueueBind(q, "", "amq.fanout", false, nil))
	}
	publish := func(exchange, key string) {
		c.must(c.PublishWithContext(t.Context(), exchange, key, false, false, amqp.Publishing{}))
	}
	all := func() {
		publish("amq.fanout", "")
		publish("amq.fanout", "")
		publish("", "a")
		publish("amq.direct", "nowhere")
		publish("amq.fanout", "")
	}
	counts := func(want ...int64) {
		t.Helper()
		_, err := c.QueueDeclarePassive("a", true, false, false, false, nil)
		c.must(err)
		var got []int64
		for _, name := range []string{"amq.fanout", "amq.direct"} {
			x, _ := s.Namespace.Topology().Address(name)
			in, out := x.Counts.Load()
			got = append(got, in, out)
		}
		in, out := s.Namespace.DefaultCounts().Load()
		if got = append(got, in, out); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	all()
	counts(3, 6, 1, 0, 1, 1)
	c.must(c.Tx())
	all()
	counts(3, 6, 1, 0, 1, 1)
	c.must(c.TxCommit())
	counts(6, 12, 2, 0, 2, 2)
	all()
	c.must(c.TxRollback())
	counts(6, 12, 2, 0, 2, 2)
}

// TestLargeArgumentsAreNotKept: a consumer takes no more memory for what it was declared
// with than one that is usual.
func TestLargeArgumentsAreNotKept(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{MaxPending: 16 << 20, MaxConsumers: 16 << 10})
	c := connect(t, s)
	c.queue("q")
	for tag, size := range map[string]int{"a": 900, "b": 1100} {
		_, err := c.Consume("q", tag, true, false, false, false,
			amqp.Table{"x": strings.Repeat("x", size)})
		c.must(err)
	}
	list := only(t, s).Channels[0].Consumers
	if len(list) != 2 || len(list[0].Arguments) != 1 || len(list[1].Arguments) != 0 {
		t.Errorf("%d %v", len(list), list)
	}
}
