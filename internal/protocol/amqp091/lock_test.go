package amqp091

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/protocoltest"
	"coffer/internal/seal"
)

const disabled = testKey + " is disabled."

// TestLockedPublishIsRefused is the door's part of acceptance D-01 and MQ-11: at once
// refused with the reason, and flowing again on the same connections.
func TestLockedPublishIsRefused(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, plain := connect(t, s), connect(t, s)
	c.queue("q")
	c.must(c.Confirm(false))
	acks := c.NotifyPublish(make(chan amqp.Confirmation, 3))
	c.put("q", "1")
	if a := receive(t, acks); !a.Ack {
		t.Errorf("%+v", a)
	}
	s.Domain.Disable()
	c.put("q", "2")
	if a := receive(t, acks); a.Ack || a.DeliveryTag != 2 {
		t.Errorf("%+v", a)
	}
	closed := plain.NotifyClose(make(chan *amqp.Error, 1))
	plain.put("q", "3")
	if err := receive(t, closed); err.Code != 506 || err.Reason != "RESOURCE_ERROR - "+disabled {
		t.Error(err)
	}
	s.Domain.Set(nil)
	c.put("q", "4")
	if a := receive(t, acks); !a.Ack || a.DeliveryTag != 3 {
		t.Errorf("%+v", a)
	}
	ch, err := plain.conn.Channel()
	c.must(err)
	d, err := ch.Consume("q", "", true, false, false, false, nil)
	c.must(err)
	if got := bodies(t, d, 2); !slices.Equal(got, []string{"1", "4"}) {
		t.Errorf("%q", got)
	}
}

func TestLockedClientsAreBlocked(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	blocked := c.conn.NotifyBlocked(make(chan amqp.Blocking, 4))
	s.Domain.Disable()
	if b := receive(t, blocked); !b.Active || b.Reason != disabled {
		t.Errorf("%+v", b)
	}
	late := dialPeer(t, s)
	late.open("/", 0)
	if m := await[*wire.ConnectionBlocked](late); m.Reason != disabled {
		t.Errorf("%+v", m)
	}
	s.Domain.Set(nil)
	if b := receive(t, blocked); b.Active {
		t.Errorf("%+v", b)
	}
	await[*wire.ConnectionUnblocked](late)
}

// TestBlockedNeedsCapability: a client that does not know connection.blocked
// does not get it.
func TestBlockedNeedsCapability(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	s.Domain.Disable()
	p := dialPeer(t, s)
	p.write([]byte(wire.ProtocolHeader))
	await[*wire.ConnectionStart](p)
	m := startOk("u", "p")
	m.ClientProperties = nil
	p.send(0, m)
	await[*wire.ConnectionTune](p)
	p.send(0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
	p.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	await[*wire.ConnectionOpenOk](p)
	s.Domain.Set(nil)
	p.channel(1)
}

func TestLockedDeliveriesWait(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.put("q", "1", "2", "3")
	c.must(c.Qos(1, 0, false))
	d, err := c.Consume("q", "", false, false, false, false, nil)
	c.must(err)
	first := next(t, d)
	s.Domain.Disable()
	c.must(first.Ack(false)) // taken while locked
	// Nothing can be delivered now; the queue still answers, and keeps the rest.
	q, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
	c.must(err)
	if q.Messages != 2 || q.Consumers != 1 {
		t.Errorf("%+v", q)
	}
	_, err = c.QueueDeclare("new", true, false, false, false, nil)
	c.must(err)
	if len(d) != 0 {
		t.Error("a delivery came while locked")
	}
	s.Domain.Set(nil)
	for _, want := range []string{"2", "3"} {
		m := next(t, d)
		if string(m.Body) != want || m.Redelivered {
			t.Errorf("%+v, want %s unmarked", m, want)
		}
		c.must(m.Ack(false))
	}
}

func TestLockedGet(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.put("q", "1")
	c.queue("q") // it is answered after the publish was taken
	s.Domain.Disable()
	_, _, err := c.Get("q", true)
	if err == nil || !strings.Contains(err.Error(), "506") ||
		!strings.Contains(err.Error(), disabled) {
		t.Error(err)
	}
	s.Domain.Set(nil)
	ch, err := c.conn.Channel()
	c.must(err)
	m, ok, err := ch.Get("q", true)
	if err != nil || !ok || m.Redelivered || string(m.Body) != "1" {
		t.Errorf("%+v %v %v", m, ok, err)
	}
}

// TestLockWhileOpening: the key goes while deliveries are being opened. None of
// them is lost, none overtakes another.
func TestLockWhileOpening(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	refused := make(chan bool, 1)
	e.Domain.Fail = func(call int64) error {
		if call != 5 {
			return nil
		}
		e.Domain.Disable()
		refused <- true
		return e.Domain.Locked()
	}
	s := serveTest(t, e, Config{})
	c := connect(t, s)
	c.queue("q")
	var sent []string
	for i := range 100 {
		sent = append(sent, fmt.Sprint(i))
	}
	c.put("q", sent...)
	q, _ := e.Namespace.Topology().Queue("q")
	d, err := c.Consume("q", "", false, false, false, false, nil)
	c.must(err)
	receive(t, refused)
	for unacked := int64(5); unacked > 4; _, unacked, _ = q.Counts() {
		c.queue("q") // until what could not be opened is back in its place
	}
	e.Domain.Set(nil)
	if got := bodies(t, d, 100); !slices.Equal(got, sent) {
		t.Errorf("%q", got)
	}
}

// TestDamagedMessage: what cannot be opened at all is not delivered, and not
// dropped either.
func TestDamagedMessage(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Domain.Fail = func(call int64) error {
		if call == 1 {
			return seal.ErrOpen
		}
		return nil
	}
	s := serveTest(t, e, Config{})
	c := connect(t, s)
	c.queue("q")
	c.put("q", "1")
	closed := c.conn.NotifyClose(make(chan *amqp.Error, 1))
	_, err := c.Consume("q", "", true, false, false, false, nil)
	c.must(err)
	if err := receive(t, closed); err.Code != 541 || err.Reason != "INTERNAL_ERROR" {
		t.Error(err)
	}
	d, err := connect(t, s).Consume("q", "", true, false, false, false, nil)
	c.must(err)
	if m := next(t, d); string(m.Body) != "1" {
		t.Errorf("%+v", m)
	}
}

// TestLockUnderLoad locks and unlocks while messages flow: what was confirmed
// comes, once each and in order, and what was published while locked does not.
func TestLockUnderLoad(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, reader := connect(t, s), connect(t, s)
	c.queue("q")
	q, _ := s.Namespace.Topology().Queue("q")
	d, err := reader.Consume("q", "", true, false, false, false, nil)
	c.must(err)
	c.must(c.Confirm(false))
	const n = 4000
	acks := c.NotifyPublish(make(chan amqp.Confirmation, n))
	for i := range n {
		switch i % 400 {
		case 200:
			s.Domain.Disable()
			for unacked := int64(1); unacked > 0; _, unacked, _ = q.Counts() {
				c.queue("q") // until what was on its way is back in its place
			}
		case 300:
			c.queue("q")
			s.Domain.Set(nil)
		}
		c.put("q", string(rune(i+1)))
	}
	for i := range n {
		a := receive(t, acks)
		switch locked := i%400 >= 200 && i%400 < 300; {
		case locked && a.Ack:
			t.Fatalf("%d was confirmed while locked", i)
		case !a.Ack:
			continue
		}
		m := next(t, d)
		if string(m.Body) != string(rune(i+1)) || m.Redelivered {
			t.Fatalf("%q came in place of %d", m.Body, i)
		}
	}
}

// TestRefusedPublishesKeepNothing holds that what is refused while the key cannot be
// used leaves no targets behind, however long a client tries.
func TestRefusedPublishesKeepNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := serveTest(t, e, Config{})
	connect(t, s).queue("q")
	local, remote := net.Pipe()
	defer local.Close()
	defer remote.Close()
	srv, err := New(Config{Engine: e, Logger: protocoltest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(srv, local)
	defer c.cancel(nil)
	c.namespace = e.Namespace
	ch := &channel{number: 1, id: 1, confirm: true}
	e.Domain.Disable()
	for range 10 {
		if err := c.publish(ch, &wire.BasicPublish{RoutingKey: []byte("q")}); err != nil {
			t.Fatal(err)
		}
		if err := c.message(ch, []byte{0, 0}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.targets) > 0 || len(c.marks) != 10 {
		t.Errorf("%d targets of %d refused publishes", len(c.targets), len(c.marks))
	}
}
