package node

import (
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
)

// TestMoveBroker moves a broker to another queue shard through the API. Its connections
// end and no others; clients connect again and find what was confirmed, in order, also
// after a restart.
func TestMoveBroker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	second, port := w.create("second")
	other, _ := w.greet(port, "localhost")
	c := w.reach()
	conn, ch := w.dial()
	_, err := ch.QueueDeclare("q", true, false, false, false, nil)
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		d, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(i)),
		})
		if err != nil || !d.Wait() {
			t.Fatal(err)
		}
	}
	ended := conn.NotifyClose(make(chan *amqp.Error, 1))
	from := w.shard(w.main())
	to := int32(from%2 + 1)
	in := &api.MoveBrokerInput{BrokerId: w.main(), Shard: to}
	if _, err := c.MoveBroker(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || err.Code != amqp.ConnectionForced {
		t.Errorf("the connection ended with %v", err)
	}
	w.n.fleet.work.Wait()
	if got := w.shard(w.main()); got != int(to) {
		t.Fatalf("it is in shard %d, want %d\n%s", got, to, w.log.String())
	}
	if w.shard(second) == 0 {
		t.Error("the other broker is nowhere")
	}
	if _, name := w.greet(port, "localhost"); name != second {
		t.Errorf("the other broker's port leads to %q", name)
	}
	if err := other.Close(); err != nil {
		t.Errorf("another broker's connection: %v", err)
	}
	w.numbered(0, 10)
	in.Shard = 99
	if _, err := c.MoveBroker(t.Context(), in); fault.KindOf(err) != fault.Invalid {
		t.Errorf("to shard 99: %v", err)
	}
	in.BrokerId, in.Shard = "b-00000000-0000-0000-0000-000000000000", 1
	if _, err := c.MoveBroker(t.Context(), in); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such broker: %v", err)
	}
	w.stop()
	w.start()
	w.n.fleet.work.Wait()
	if got := w.shard(w.main()); got != int(to) {
		t.Errorf("after a restart it is in shard %d, want %d", got, to)
	}
	w.numbered(10, 20)
}

// dial connects to broker main.
func (w *world) dial() (*amqp.Connection, *amqp.Channel) {
	w.t.Helper()
	url := fmt.Sprintf("amqps://admin:%s@localhost:%d/",
		strings.TrimSpace(w.file(fileMainAdmin)), w.endpoints().AMQP)
	conn, err := amqp.DialTLS(url, &tls.Config{RootCAs: w.roots()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		w.t.Fatal(err)
	}
	return conn, ch
}

// numbered takes the numbers from low on, below high, from the queue q.
func (w *world) numbered(low, high int) {
	w.t.Helper()
	conn, ch := w.dial()
	for i := low; i < high; i++ {
		m, ok, err := ch.Get("q", true)
		if err != nil || !ok || string(m.Body) != strconv.Itoa(i) {
			w.t.Fatalf("got %q, %v, %v, want %d", m.Body, ok, err, i)
		}
	}
	if err := conn.Close(); err != nil {
		w.t.Error(err)
	}
}

// shard gives the queue shard of a broker; 0 when there is no such broker.
func (w *world) shard(id string) int {
	w.t.Helper()
	list, err := w.n.fleet.Places()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range list {
		if p.Broker == id && !p.Moving {
			return p.Shard
		}
	}
	return 0
}
