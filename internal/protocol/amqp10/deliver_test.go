package amqp10

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// fill sends messages to /queues/q and waits until they are accepted.
func (p *peer) fill(bodies ...string) {
	p.t.Helper()
	p.attach(sender(50, "/queues/q"))
	for id, b := range bodies {
		p.transfer(50, uint32(id), false, data(b))
		if got := p.outcome(); got != "disposition accepted" {
			p.t.Fatal(got)
		}
	}
	p.send(0, &wire.Detach{Handle: 50, Closed: true})
	p.await(wire.CodeDetach, &wire.Detach{})
}

// expect receives messages with these bodies and gives the last.
func (p *peer) expect(bodies ...string) (r received) {
	p.t.Helper()
	for _, b := range bodies {
		if r = p.receive(); r.body != b {
			p.t.Fatalf("got %q, want %q", r.body, b)
		}
	}
	return r
}

// A receiver gets as many messages as it has credit for, and what is left of a drain
// is told to it.
func TestCredit(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("1", "2", "3")
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 2, false)
	p.expect("1", "2")
	p.credit(1, 2, 5, true)
	p.expect("3")
	var f wire.Flow
	for !f.Drain {
		p.await(wire.CodeFlow, &f)
	}
	if f.DeliveryCount.Value != 7 || f.LinkCredit.Value != 0 {
		t.Errorf("after a drain: %+v", f)
	}
	p.fill("4")
	p.credit(1, 7, 0, true) // nothing may come for it
	for f.Drain = false; !f.Drain; {
		p.await(wire.CodeFlow, &f)
	}
	p.credit(1, 7, 1, false)
	p.expect("4")
}

// Credit that a receiver takes back does not hold messages away from others.
func TestCreditTakenBack(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	s := serveTest(t, e, Config{})
	p := openPeer(t, s)
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 100, false)
	p.credit(1, 0, 0, false)
	// The answer comes when the broker has forgotten the credit.
	p.credit(1, 0, 0, true)
	var f wire.Flow
	for !f.Drain {
		p.await(wire.CodeFlow, &f)
	}
	other := openPeer(t, s)
	other.attach(receiver(1, "/queues/q"))
	other.credit(1, 0, 10, false)
	other.fill2("a", "b")
	other.expect("a", "b")
}

// fill2 is fill for a session that receives, too.
func (p *peer) fill2(bodies ...string) {
	p.t.Helper()
	p.attach(sender(51, "/queues/q"))
	for id, b := range bodies {
		p.transfer(51, uint32(id), true, data(b))
	}
}

// What each outcome does to a message.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "dead")
	_, _, err := e.Namespace.DeclareQueue(t.Context(), nil, broker.QueueSpec{
		Name: "q", Durable: true, Limits: broker.Limits{
			Dead: broker.DeadLetter{Set: true, Key: "dead", OwnKey: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serveTest(t, e, Config{})
	p := openPeer(t, s)
	p.fill("1", "2", "3", "4", "5")
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 5, false)
	first := p.expect("1")
	if !first.header.FirstAcquirer || first.header.DeliveryCount.Set || !first.header.Durable {
		t.Errorf("header %+v", first.header)
	}
	p.expect("2", "3", "4", "5")
	p.settle(0, 0, true, &wire.Accepted{})
	p.settle(1, 1, true, &wire.Rejected{})
	p.settle(2, 2, true, &wire.Released{})
	p.settle(3, 3, true, &wire.Modified{DeliveryFailed: true})
	p.settle(4, 4, false, &wire.Modified{UndeliverableHere: true})
	var d wire.Disposition
	if p.await(wire.CodeDisposition, &d); !d.Settled || d.Role != wire.RoleSender || d.First != 4 {
		t.Errorf("the answer is %+v", d)
	}
	p.credit(1, 5, 5, false)
	again := p.expect("3")
	if again.header.FirstAcquirer || again.header.DeliveryCount.Set {
		t.Errorf("released: %+v", again.header)
	}
	if failed := p.expect("4"); failed.header.DeliveryCount.Value != 1 {
		t.Errorf("failed: %+v", failed.header)
	}
	p.attach(receiver(2, "/queues/dead"))
	p.credit(2, 0, 5, false)
	x := p.expect("2")
	deaths := x.message.Annotations.Find(annotationDeaths)
	count := 0
	deaths.Elements(func(m wire.Raw) bool {
		count++
		queue, _ := m.Find("queue").Text()
		reason, _ := m.Find("reason").Symbol()
		if string(queue) != "q" || string(reason) != "rejected" {
			t.Errorf("died in %q of %q", queue, reason)
		}
		return true
	})
	if count != 1 {
		t.Errorf("%d deaths", count)
	}
	p.expect("5")
}

// What a link or session leaves unsettled goes to the next receiver.
func TestUnsettledComeBack(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("1", "2")
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 5, false)
	p.expect("1", "2")
	p.settle(0, 0, true, &wire.Accepted{})
	p.send(0, &wire.Detach{Handle: 1, Closed: true})
	p.await(wire.CodeDetach, &wire.Detach{})
	p.attach(receiver(2, "/queues/q"))
	p.credit(2, 0, 5, false)
	if r := p.expect("2"); r.header.FirstAcquirer {
		t.Error("it is not told that the message came back")
	}
	p.send(0, &wire.End{})
	p.await(wire.CodeEnd, &wire.End{})
	p.begin(0, 100)
	p.attach(receiver(1, "q"))
	p.credit(1, 0, 5, false)
	p.expect("2")
}

// What the active receiver of a queue held goes to none that its session takes
// along: it would count as returned each time.
func TestSingleActiveLeaves(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	_, _, err := e.Namespace.DeclareQueue(t.Context(), nil, broker.QueueSpec{
		Name: "q", Durable: true, SingleActive: true,
		Limits: broker.Limits{Deliveries: broker.AtMost(roundsOfEnds)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("held")
	for range roundsOfEnds { // the order of a map would be right in some
		for handle := range uint32(6) {
			p.attach(receiver(handle, "/queues/q"))
		}
		for handle := range uint32(6) {
			p.credit(handle, 0, 1, false)
		}
		p.expect("held")
		p.send(0, &wire.End{})
		p.await(wire.CodeEnd, &wire.End{})
		p.begin(0, 1<<20)
	}
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 1, false)
	p.expect("held")
}

const roundsOfEnds = 8

// A receiver that wants messages settled need not settle them.
func TestSettledDeliveries(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	q := e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill("1", "2")
	m := receiver(1, "/queues/q")
	m.SndSettleMode = wire.SenderSettleModeSettled
	if reply := p.attach(m); reply.SndSettleMode != wire.SenderSettleModeSettled {
		t.Errorf("settle mode %d", reply.SndSettleMode)
	}
	p.credit(1, 0, 5, false)
	if r := p.expect("1", "2"); !r.Settled {
		t.Error("a message is not settled")
	}
	p.send(0, &wire.Close{})
	p.await(wire.CodeClose, &wire.Close{})
	if ready, unacked, _ := q.Counts(); ready+unacked != 0 {
		t.Errorf("%d ready, %d in flight", ready, unacked)
	}
}

// A session's window holds frames back, in the midst of a message too.
func TestWindow(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	s := serveTest(t, e, Config{})
	big := strings.Repeat("0123456789", 300)
	openPeer(t, s).fill(big, "2", "3")
	p := dialPeer(t, s)
	p.login()
	p.send(0, &wire.Open{ContainerID: []byte("c"), MaxFrameSize: 512})
	p.await(wire.CodeOpen, &wire.Open{})
	p.begin(0, 2)
	p.attach(receiver(1, "/queues/q"))
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some(uint32(0)), IncomingWindow: 2,
		Handle: wire.Some(uint32(1)), LinkCredit: wire.Some(uint32(10)),
	})
	var whole []byte
	got := uint32(0)
	for n := 0; ; n++ {
		var x wire.Transfer
		whole = append(whole, p.await(wire.CodeTransfer, &x)...)
		if got++; !x.More {
			break
		}
		if got%2 == 0 {
			p.send(0, &wire.Flow{NextIncomingID: wire.Some(got), IncomingWindow: 2})
		}
	}
	var m wire.Message
	if err := m.Parse(whole); err != nil {
		t.Fatal(err)
	}
	var body []byte
	m.Bare.EachData(func(b []byte) { body = append(body, b...) })
	if string(body) != big || got < 6 {
		t.Errorf("%d octets in %d frames", len(body), got)
	}
	p.send(0, &wire.Flow{NextIncomingID: wire.Some(got), IncomingWindow: 2})
	p.expect("2", "3")
}

// A message comes back octet by octet, whatever its sections are.
func TestBareMessageStays(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	q := wire.Properties{MessageID: wire.AppendUlong(nil, 9), Subject: []byte("s")}
	// Encoded at greater length than need be: nobody may encode it again.
	value := "\x00\x80\x00\x00\x00\x00\x00\x00\x00\x77\xb1\x00\x00\x00\x02hi"
	footer := "\x00\x53\x78\xc1\x01\x00"
	bare := string(q.Append(nil)) + value + footer
	h := wire.Header{Priority: wire.Some(uint8(3)), TTL: wire.Some(uint32(1 << 30))}
	annotations := "\x00\x53\x72\xc1\x09\x02\xa3\x03x-a\xa1\x01v"
	delivery := "\x00\x53\x71\xc1\x09\x02\xa3\x03x-d\xa1\x01v"
	p.attach(sender(0, "/queues/q"))
	p.transfer(0, 0, false, string(h.Append(nil))+delivery+annotations+bare)
	p.attach(receiver(1, "/queues/q"))
	p.credit(1, 0, 1, false)
	r := p.receive()
	if got := string(r.message.Bare.Encoded); got != bare {
		t.Errorf("the bare message is %q, was %q", got, bare)
	}
	if r.header.Durable || r.header.Priority.Value != 3 || r.header.TTL.Value != 1<<30 {
		t.Errorf("header %+v", r.header)
	}
	if v, _ := r.message.Annotations.Find("x-a").Text(); string(v) != "v" {
		t.Error("an annotation is lost")
	}
	if r.message.Delivery != nil {
		t.Error("annotations for the delivery to the broker went on")
	}
}

// A receiver that takes nothing makes the server hold only so much: the rest stays with
// the broker, and all comes in order when the window opens.
func TestHeldMessages(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	q := e.Queue(t, "q")
	s := serveTest(t, e, Config{MaxReceivers: 2})
	const many, size = 90, 120 << 10
	bodies := make([]string, many)
	for i := range bodies {
		bodies[i] = fmt.Sprint(i) + strings.Repeat("x", size)
	}
	openPeer(t, s).fill(bodies...)
	p := dialPeer(t, s)
	p.open()
	p.begin(0, 0)
	p.attach(receiver(0, "/queues/q"))
	p.attach(receiver(1, "/queues/q"))
	p.send(0, receiver(2, "/queues/q"))
	p.wants("detach amqp:resource-limit-exceeded reached maximum (2) of receivers")
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some(uint32(0)), Handle: wire.Some(uint32(0)),
		LinkCredit: wire.Some(uint32(many)), Echo: true,
	})
	p.await(wire.CodeFlow, &wire.Flow{})
	p.send(0, &wire.Flow{NextIncomingID: wire.Some(uint32(0)), IncomingWindow: 1 << 31})
	for i, want := range bodies {
		var whole []byte
		for x := (wire.Transfer{More: true}); x.More; {
			whole = append(whole, p.await(wire.CodeTransfer, &x)...)
		}
		if !strings.HasSuffix(string(whole), want) {
			t.Fatalf("message %d is another one", i)
		}
	}
	if ready, unacked, _ := q.Counts(); ready != 0 || unacked != many {
		t.Errorf("%d ready, %d in flight", ready, unacked)
	}
}

// Many parts of a message, on two links at once.
func TestParts(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.attach(sender(0, "/queues/q"))
	p.attach(sender(1, "/exchanges/amq.direct/none"))
	message := data(strings.Repeat("ab", 1000))
	for i := range len(message) {
		for handle := range uint32(2) {
			p.write(frameOf(wire.FrameAMQP, 0, &wire.Transfer{
				Handle: handle, DeliveryID: wire.Some(handle), More: i+1 < len(message),
				Aborted: handle == 1 && i+1 == len(message),
			}, message[i:i+1]))
		}
	}
	if got := p.outcome(); got != "disposition accepted" {
		t.Error(got)
	}
	p.attach(receiver(2, "/queues/q"))
	p.credit(2, 0, 1, false)
	p.expect(strings.Repeat("ab", 1000))
}

// The first version of addresses declares queues and binds them.
func TestAddressesV1(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := openPeer(t, serveTest(t, e, Config{}))
	for i, pair := range [][2]string{
		{"plain", "plain"}, {"/queue/a%20b", "/amq/queue/a%20b"}, {"/topic/x.y", "/topic/x.*"},
		{"/exchange/amq.fanout", "/exchange/amq.fanout/any"},
		{"/exchange/amq.direct/k", "/exchange/amq.direct/k"},
	} {
		to, from := uint32(2*i), uint32(2*i+1)
		if strings.HasPrefix(pair[1], "/amq") {
			p.attach(sender(to, pair[0]))
			p.attach(receiver(from, pair[1]))
		} else {
			p.attach(receiver(from, pair[1]))
			p.attach(sender(to, pair[0]))
		}
		p.credit(from, 0, 1, false)
		p.transfer(to, uint32(i), true, data(pair[0]))
		p.expect(pair[0])
	}
}

// A dynamic source is a queue that answers can be sent to, until its link ends.
func TestDynamicSource(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := serveTest(t, e, Config{})
	p := openPeer(t, s)
	m := receiver(1, "")
	m.Source = (&wire.Source{Dynamic: true}).Append(nil)
	reply := p.attach(m)
	_, list, _ := reply.Source.Described()
	var src wire.Source
	if err := src.Parse(list); err != nil {
		t.Fatal(err)
	}
	address, _ := src.Address.Text()
	p.credit(1, 0, 1, false)
	other := openPeer(t, s)
	other.attach(sender(0, ""))
	q := wire.Properties{To: text(string(address))}
	answer := string(q.Append(nil)) + data("answer")
	other.transfer(0, 0, false, answer)
	if got := other.outcome(); got != "disposition accepted" {
		t.Fatal(got)
	}
	p.expect("answer")
	p.settle(0, 0, true, &wire.Accepted{})
	p.send(0, &wire.Detach{Handle: 1, Closed: true})
	p.await(wire.CodeDetach, &wire.Detach{})
	other.transfer(0, 1, false, answer)
	if got := other.outcome(); got != "disposition released" {
		t.Errorf("the queue stays behind: %s", got)
	}
}

// A link that was refused leaves the session as it is, and its handle can be used again.
func TestRefusedLink(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	for _, m := range []*wire.Attach{receiver(0, "/queues/no"), sender(0, "/queues/no")} {
		var reply wire.Attach
		p.send(0, m)
		if p.await(wire.CodeAttach, &reply); reply.Role == m.Role {
			t.Errorf("role %t", reply.Role)
		}
		if m.Role && reply.Source != nil || !m.Role && reply.Target != nil {
			t.Errorf("the refused link has a terminus: %+v", reply)
		}
		p.wants("detach amqp:not-found no queue 'no'")
		p.transfer(0, 0, true, data("ignored"))
		p.credit(0, 0, 5, true)
		p.send(0, &wire.Detach{Handle: 0, Closed: true})
	}
	p.fill("1")
	p.attach(receiver(0, "/queues/q"))
	p.credit(0, 0, 5, false)
	p.expect("1")
}

// A dynamic target is a queue that goes with its link.
func TestDynamicTarget(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	p := openPeer(t, serveTest(t, e, Config{}))
	m := sender(0, "")
	m.Target = (&wire.Target{Dynamic: true}).Append(nil)
	reply := p.attach(m)
	_, list, _ := reply.Target.Described()
	var to wire.Target
	if err := to.Parse(list); err != nil {
		t.Fatal(err)
	}
	address, _ := to.Address.Text()
	p.attach(receiver(1, string(address)))
	p.credit(1, 0, 5, false)
	p.transfer(0, 0, true, data("x"))
	p.expect("x")
	p.send(0, &wire.Detach{Handle: 0, Closed: true})
	ends := []string{p.outcome(), p.outcome()} // of the link and of the queue's receiver
	if slices.Sort(ends); ends[0] != "detach" || ends[1] != "detach amqp:resource-deleted" {
		t.Errorf("got %q", ends)
	}
}

// Further keys lead a message to further queues, and exchanges count it once.
func TestCopies(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for _, name := range []string{"a", "b", "c"} {
		e.Queue(t, name)
	}
	p := openPeer(t, serveTest(t, e, Config{}))
	keys, at := wire.OpenList(nil)
	keys = wire.AppendUint(wire.AppendString(wire.AppendString(keys, "b"), "c"), 1)
	keys = wire.CloseList(keys, at, 3)
	m := wire.AppendDescriptor(nil, wire.CodeMessageAnnotations)
	m, at = wire.OpenMap(m)
	m = append(wire.AppendSymbol(m, annotationCopies), keys...)
	p.attach(sender(0, "/queues/a"))
	p.transfer(0, 0, false, string(wire.CloseMap(m, at, 1))+data("x"))
	if got := p.outcome(); got != "disposition accepted" {
		t.Fatal(got)
	}
	for i, name := range []string{"a", "b", "c"} {
		p.attach(receiver(uint32(i+1), "/queues/"+name))
		p.credit(uint32(i+1), 0, 1, false)
		p.expect("x")
	}
	if in, out := e.Namespace.DefaultCounts().Load(); in != 1 || out != 3 {
		t.Errorf("counted %d in, %d out", in, out)
	}
}

// A sender that settles last hears the outcome unsettled.
func TestSecondMode(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	m := sender(0, "/queues/q")
	m.RcvSettleMode = wire.ReceiverSettleModeSecond
	p.attach(m)
	p.transfer(0, 0, false, data("x"))
	var d wire.Disposition
	if p.await(wire.CodeDisposition, &d); d.Settled || showState(d.State) != "accepted" {
		t.Errorf("disposition %+v", d)
	}
	p.send(0, &wire.Disposition{Role: wire.RoleSender, Settled: true, State: d.State})
	p.transfer(0, 1, false, data("y"))
	p.await(wire.CodeDisposition, &d)
}

// A link whose queue is deleted ends.
func TestQueueDeleted(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	q := e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.attach(receiver(1, "/queues/q"))
	if _, err := e.Namespace.DeleteQueue(t.Context(), q, false, false); err != nil {
		t.Fatal(err)
	}
	if got := p.outcome(); got != "detach amqp:resource-deleted" {
		t.Error(got)
	}
	p.send(0, &wire.Detach{Handle: 1, Closed: true})
	p.attach(sender(1, "/exchanges/amq.fanout"))
}

// A message larger than the receiver takes ends its link and stays.
func TestReceiverMaxSize(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	p.fill(strings.Repeat("x", 1000))
	m := receiver(1, "/queues/q")
	m.MaxMessageSize = wire.Some(uint64(100))
	p.attach(m)
	p.credit(1, 0, 10, false)
	if got := p.outcome(); !strings.HasPrefix(got, "detach "+wire.LinkErrorMessageSizeExceeded) {
		t.Error(got)
	}
	p.send(0, &wire.Detach{Handle: 1, Closed: true})
	p.attach(receiver(2, "/queues/q"))
	p.credit(2, 0, 10, false)
	p.expect(strings.Repeat("x", 1000))
}

// Consumers of a higher priority are served first.
func TestPriority(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	p := openPeer(t, serveTest(t, e, Config{}))
	for handle := range uint32(2) {
		m := receiver(handle, "/queues/q")
		props, at := wire.OpenMap(nil)
		props = wire.AppendLong(wire.AppendSymbol(props, priorityProperty), int64(handle))
		m.Properties = wire.CloseMap(props, at, 1)
		p.attach(m)
		p.credit(handle, 0, 2, false)
	}
	p.fill2("1", "2", "3")
	handles := ""
	for range 3 {
		handles += fmt.Sprint(p.receive().Handle)
	}
	if handles != "110" {
		t.Errorf("receivers %s", handles)
	}
}
