package amqp091

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// dial connects a real client.
func dial(t testing.TB, s *service, vhost string) (*amqp.Connection, error) {
	t.Helper()
	c, err := amqp.DialConfig("amqp://"+s.addr, amqp.Config{
		Vhost: vhost, SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "u", Password: "p"}},
		Properties: amqp.Table{"connection_name": "test"},
		Heartbeat:  time.Minute, // with its default the client gives up after 15 seconds
	})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// client is a real client's connection with a channel.
type client struct {
	t testing.TB
	*amqp.Channel
	conn *amqp.Connection
}

func connect(t testing.TB, s *service) *client {
	t.Helper()
	conn, err := dial(t, s, "/")
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, ch, conn}
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// queue declares a durable queue.
func (c *client) queue(name string) {
	c.t.Helper()
	_, err := c.QueueDeclare(name, true, false, false, false, nil)
	c.must(err)
}

// put publishes durable messages to a queue.
func (c *client) put(queue string, bodies ...string) {
	c.t.Helper()
	for _, b := range bodies {
		c.must(c.PublishWithContext(c.t.Context(), "", queue, false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(b)}))
	}
}

// next waits for a delivery.
func next(t testing.TB, d <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	return receive(t, d)
}

func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		if !ok {
			t.Fatal("closed")
		}
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// bodies takes n deliveries and acknowledges none.
func bodies(t testing.TB, d <-chan amqp.Delivery, n int) (list []string) {
	t.Helper()
	for range n {
		list = append(list, string(next(t, d).Body))
	}
	return list
}

func TestRoundTripKeepsEverything(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	large := strings.Repeat("0123456789", 100_000) // eight frames
	sent := amqp.Publishing{
		Headers: amqp.Table{
			"text": "é", "n": int64(-5), "list": []any{"a", int32(1)}, "t": amqp.Table{"x": true},
			"void": nil, "when": time.Unix(1700000000, 0), "d": amqp.Decimal{Scale: 2, Value: 314},
		},
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
		Priority: 3, CorrelationId: "c", ReplyTo: "r", MessageId: "m",
		Timestamp: time.Unix(1700000001, 0), Type: "t", UserId: "u", AppId: "a",
		Body: []byte(large),
	}
	c.must(c.PublishWithContext(t.Context(), "", "q", false, false, sent))
	c.put("q", "")
	d, err := c.Consume("q", "", false, false, false, false, nil)
	c.must(err)
	got := next(t, d)
	back := amqp.Publishing{
		Headers: got.Headers, ContentType: got.ContentType,
		ContentEncoding: got.ContentEncoding, DeliveryMode: got.DeliveryMode,
		Priority: got.Priority, CorrelationId: got.CorrelationId, ReplyTo: got.ReplyTo,
		MessageId: got.MessageId, Timestamp: got.Timestamp, Type: got.Type,
		UserId: got.UserId, AppId: got.AppId, Body: got.Body,
	}
	if string(back.Body) != large {
		t.Errorf("a body of %d octets", len(back.Body))
	}
	back.Body, sent.Body = nil, nil
	if !reflect.DeepEqual(back, sent) {
		t.Errorf("%+v, want %+v", back, sent)
	}
	if got.RoutingKey != "q" || got.Exchange != "" || got.Redelivered || got.DeliveryTag != 1 ||
		got.ConsumerTag == "" {
		t.Errorf("%+v", got)
	}
	if e := next(t, d); len(e.Body) != 0 || e.DeliveryTag != 2 {
		t.Errorf("%+v", e)
	}
}

// TestSmallFrames negotiates the smallest frame_max.
func TestSmallFrames(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	conn, err := amqp.DialConfig("amqp://"+s.addr, amqp.Config{
		FrameSize: 4096, ChannelMax: 1,
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "u", Password: "p"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t, ch, conn}
	c.queue("q")
	long := strings.Repeat("abc", 30_000)
	c.put("q", long, long[:4088], long[:4089])
	for _, n := range []int{len(long), 4088, 4089} {
		m, ok, err := c.Get("q", true)
		c.must(err)
		if !ok || string(m.Body) != long[:n] {
			t.Errorf("%d octets, want %d", len(m.Body), n)
		}
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	for _, q := range []string{"a", "b"} {
		c.queue(q)
	}
	c.must(c.ExchangeDeclare("mine", "topic", true, false, false, false, nil))
	c.must(c.QueueBind("a", "x", "amq.direct", false, nil))
	c.must(c.QueueBind("a", "", "amq.fanout", false, nil))
	c.must(c.QueueBind("b", "", "amq.fanout", false, nil))
	c.must(c.QueueBind("b", "*.red.#", "mine", false, nil))
	c.must(c.QueueBind("b", "#", "amq.topic", false, nil))
	c.must(c.QueueUnbind("b", "#", "amq.topic", nil))
	for i, p := range [][2]string{
		{"amq.direct", "x"}, {"amq.direct", "y"}, {"amq.fanout", "z"}, {"mine", "big.red.car"},
		{"mine", "red"}, {"amq.topic", "any"}, {"", "b"},
	} {
		c.must(c.PublishWithContext(t.Context(), p[0], p[1], false, false,
			amqp.Publishing{Body: fmt.Append(nil, i)}))
	}
	want := map[string][]string{"a": {"0", "2"}, "b": {"2", "3", "6"}}
	for q, list := range want {
		d, err := c.Consume(q, "", true, false, false, false, nil)
		c.must(err)
		if got := bodies(t, d, len(list)); !slices.Equal(got, list) {
			t.Errorf("%s: %q, want %q", q, got, list)
		}
	}
	c.must(c.ExchangeDelete("mine", false, false))
	c.must(c.ExchangeDelete("mine", false, false)) // it is gone already
}

func TestSenderSelectedCopies(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	for _, q := range []string{"a", "b", "c"} {
		c.queue(q)
	}
	c.must(c.PublishWithContext(t.Context(), "", "a", false, false, amqp.Publishing{
		Headers: amqp.Table{"CC": []any{"b", "a"}, "BCC": []any{"c"}, "k": "v"}, Body: []byte("m"),
	}))
	for _, q := range []string{"a", "b", "c"} {
		m, ok, err := c.Get(q, true)
		c.must(err)
		if !ok || m.Headers["k"] != "v" || m.Headers["CC"] == nil || m.Headers["BCC"] != nil {
			t.Errorf("%s: %v %+v", q, ok, m.Headers)
		}
		if m.MessageCount != 0 {
			t.Errorf("%s has more than one", q)
		}
	}
}

func TestConfirmsAndReturns(t *testing.T) {
	t.Parallel()
	c := connect(t, serveTest(t, newEngine(t), Config{}))
	c.queue("q")
	c.must(c.Confirm(false))
	const n = 5000
	acks := c.NotifyPublish(make(chan amqp.Confirmation, n))
	for range n {
		c.put("q", "m")
	}
	for i := range uint64(n) {
		if a := receive(t, acks); !a.Ack || a.DeliveryTag != i+1 {
			t.Fatalf("%+v at %d", a, i)
		}
	}
	events := make(chan string, 2)
	returns := c.NotifyReturn(make(chan amqp.Return))
	go func() {
		r := <-returns
		events <- fmt.Sprintln(r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, string(r.Body))
	}()
	c.must(c.PublishWithContext(t.Context(), "amq.direct", "nowhere", true, false,
		amqp.Publishing{Body: []byte("back")}))
	// The client blocks on an unread return, so the confirm comes after it.
	if got := receive(t, events); got != "312 NO_ROUTE amq.direct nowhere back\n" {
		t.Error(got)
	}
	if a := receive(t, acks); !a.Ack || a.DeliveryTag != n+1 {
		t.Errorf("%+v", a)
	}
}

func TestAckNackRejectRecover(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.put("q", "1", "2", "3", "4", "5", "6")
	d, err := c.Consume("q", "tag", false, false, false, false, nil)
	c.must(err)
	if got := bodies(t, d, 6); !slices.Equal(got, []string{"1", "2", "3", "4", "5", "6"}) {
		t.Fatalf("%q", got)
	}
	c.must(c.Ack(2, true))         // 1 and 2 are done
	c.must(c.Nack(3, false, true)) // 3 comes again
	c.must(c.Reject(4, false))     // 4 is dropped
	c.must(c.Nack(6, true, true))  // 5 and 6 come again
	again := bodies(t, d, 3)
	slices.Sort(again)
	if !slices.Equal(again, []string{"3", "5", "6"}) {
		t.Fatalf("%q", again)
	}
	c.must(c.Recover(true))
	seen := []string{}
	for range 3 {
		m := next(t, d)
		if !m.Redelivered {
			t.Errorf("%+v", m)
		}
		seen = append(seen, string(m.Body))
	}
	c.must(c.Cancel("tag", false))
	c.must(c.Close()) // all three go back, in order
	c2 := connect(t, s)
	q, err := c2.QueueDeclarePassive("q", true, false, false, false, nil)
	c2.must(err)
	if q.Messages != 3 || q.Consumers != 0 || len(seen) != 3 {
		t.Errorf("%+v %q", q, seen)
	}
	var left []string
	for range 3 {
		m, ok, err := c2.Get("q", false)
		c2.must(err)
		if !ok || !m.Redelivered {
			t.Errorf("%v %+v", ok, m)
		}
		left = append(left, string(m.Body))
		c2.must(m.Ack(false))
	}
	if !slices.Equal(left, []string{"3", "5", "6"}) {
		t.Errorf("%q", left)
	}
	if _, ok, err := c2.Get("q", false); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestPrefetch(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	for _, global := range []bool{false, true} {
		c := connect(t, s)
		name := fmt.Sprint("q", global)
		c.queue(name)
		c.put(name, "1", "2", "3", "4", "5")
		c.must(c.Qos(2, 0, global))
		a, err := c.Consume(name, "", false, false, false, false, nil)
		c.must(err)
		if got := bodies(t, a, 2); !slices.Equal(got, []string{"1", "2"}) {
			t.Fatalf("%q", got)
		}
		b, err := c.Consume(name, "", false, false, false, false, nil)
		c.must(err)
		if !global { // the second consumer has a limit of its own
			if got := bodies(t, b, 2); !slices.Equal(got, []string{"3", "4"}) {
				t.Fatalf("%q", got)
			}
		}
		q, err := c.QueueDeclarePassive(name, true, false, false, false, nil)
		c.must(err)
		if want := map[bool]int{false: 1, true: 3}[global]; q.Messages != want {
			t.Errorf("global %v: %d wait, want %d", global, q.Messages, want)
		}
		c.must(c.Ack(1, false))
		select {
		case <-a:
		case <-b:
		case <-time.After(patience):
			t.Error("an ack gave no credit")
		}
	}
}

func TestQueueLife(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	q, err := c.QueueDeclare("", false, false, true, false, nil)
	c.must(err)
	if !strings.HasPrefix(q.Name, "amq.gen-") || len(q.Name) != len("amq.gen-")+22 {
		t.Error(q.Name)
	}
	c.must(c.QueueBind("", "", "amq.direct", false, nil)) // the queue declared last, as its key
	c.must(c.PublishWithContext(t.Context(), "amq.direct", q.Name, false, false,
		amqp.Publishing{Body: []byte("m")}))
	n, err := c.QueuePurge(q.Name, false)
	c.must(err)
	if n != 1 {
		t.Error(n)
	}
	c.put(q.Name, "1", "2")
	n, err = c.QueueDelete(q.Name, false, false, false)
	c.must(err)
	if n != 2 {
		t.Error(n)
	}
	n, err = c.QueueDelete("never", false, false, false)
	if n != 0 || err != nil {
		t.Error(n, err)
	}
	_, err = c.QueueDeclare("auto", false, true, false, false, nil)
	c.must(err)
	_, err = c.Consume("auto", "only", true, false, false, false, nil)
	c.must(err)
	c.must(c.Cancel("only", false))
	if _, err = c.QueueDeclarePassive("auto", false, true, false, false, nil); err == nil {
		t.Error("an auto-delete queue outlived its consumer")
	}
}

func TestExclusiveQueueGoesWithItsConnection(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, other := connect(t, s), connect(t, s)
	_, err := c.QueueDeclare("mine", true, false, true, false, nil)
	c.must(err)
	other.put("mine", "from outside") // publishing is free
	second, err := c.conn.Channel()
	c.must(err)
	d, err := second.Consume("mine", "", true, false, false, false, nil)
	c.must(err)
	if m := next(t, d); string(m.Body) != "from outside" {
		t.Errorf("%+v", m)
	}
	c.must(c.conn.Close())
	if _, ok := s.Namespace.Topology().Queue("mine"); ok {
		t.Error("the queue outlived its connection")
	}
}

func TestCancelNotification(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	gone := c.NotifyCancel(make(chan string, 1))
	_, err := c.Consume("q", "me", false, false, false, false, nil)
	c.must(err)
	_, err = connect(t, s).QueueDelete("q", false, false, false)
	c.must(err)
	if tag := receive(t, gone); tag != "me" {
		t.Error(tag)
	}
	c.queue("q")
	_, err = c.Consume("q", "me", false, false, false, false, nil) // the tag is free again
	c.must(err)
}

func TestCancelLosesNothing(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	const n = 3000
	for range n {
		c.put("q", "m")
	}
	got := 0
	for round := 0; got < n; round++ {
		// Without acknowledgements, what is not delivered must still be there.
		d, err := c.Consume("q", "t", true, false, false, false, nil)
		c.must(err)
		select {
		case <-d:
			got++
		case <-time.After(patience):
			t.Fatalf("%d of %d after %d rounds", got, n, round)
		}
		c.must(c.Cancel("t", false))
		for range d {
			got++
		}
	}
	if got != n {
		t.Errorf("%d of %d", got, n)
	}
}

func TestShutdownTellsClients(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	closed := connect(t, s).conn.NotifyClose(make(chan *amqp.Error, 1))
	s.stop()
	err := receive(t, closed)
	const want = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
	if err.Code != 320 || err.Reason != want {
		t.Error(err)
	}
}
