package scale

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// TestQueues declares many durable queues, restarts with them empty, and with one
// message in each, and measures starts and memory.
func TestQueues(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := amounts.queues
	table(t, "queues", "declared, /s", "start", "first message", "RSS, MiB", "of it per queue, KiB",
		"live heap, MiB")
	s := run(t, data) // makes the directory
	check(t, s.Stop())
	s = run(t, data)
	base := queuesRow(t, s, 0, "", 0)
	begin := time.Now()
	check(t, declareMany(t.Context(), s.to, n))
	rate := fmt.Sprintf("%.0f", float64(n)/time.Since(begin).Seconds())
	check(t, s.Stop())

	s = run(t, data)
	queuesRow(t, s, n, rate, base)
	c, err := open(t.Context(), s.to, &wire.ConfirmSelect{})
	check(t, err)
	for i := range n {
		check(t, c.Publish(channel, "", manyName(i), true, make([]byte, bodySize)))
	}
	check(t, c.Flush())
	for told := uint64(0); told < uint64(n); {
		e, err := c.Next()
		check(t, err)
		m, ok := e.Method.(*wire.BasicAck)
		if !ok {
			t.Fatalf("got %s, want a confirm", e.Method.ID())
		}
		told = m.DeliveryTag
	}
	check(t, c.Goodbye())
	check(t, s.Kill())

	s = run(t, data)
	queuesRow(t, s, n, "", base)
	for _, i := range []int{0, n / 2, n - 1} {
		c, err := open(t.Context(), s.to)
		check(t, err)
		m, err := c.Call(channel, &wire.BasicGet{Queue: manyName(i)})
		check(t, err)
		if _, ok := m.(*wire.BasicGetOk); !ok {
			t.Errorf("queue %d is without its message after kill -9: got %s", i, m.ID())
		}
		check(t, c.Goodbye())
	}
	check(t, s.Stop())
}

// queuesRow prints what a start with n queues took, and gives its memory.
func queuesRow(t *testing.T, s *server, n int, rate string, base int64) int64 {
	t.Helper()
	begin := time.Now()
	c, err := open(t.Context(), s.to, declare("first"), &wire.BasicConsume{Queue: "first"})
	check(t, err)
	check(t, c.Publish(channel, "", "first", false, make([]byte, bodySize)))
	check(t, c.Flush())
	e, err := c.Next()
	check(t, err)
	m, ok := e.Method.(*wire.BasicDeliver)
	if !ok {
		t.Fatalf("got %s, want a delivery", e.Method.ID())
	}
	first := s.Started() + time.Since(begin)
	check(t, c.Ack(channel, m.DeliveryTag, false))
	check(t, c.Flush())
	check(t, c.Goodbye())
	now := s.memory()
	each := ""
	if n > 0 {
		each = fmt.Sprintf("%.2f", float64(now.resident-base)/1024/float64(n))
	}
	row(t, fmt.Sprint(n), rate, milli(s.Started()), milli(first), mib(now.resident), each,
		mib(now.heap))
	return now.resident
}

// TestConnections opens many connections over TLS and measures what an idle one
// takes, before it ever sent a message and after.
func TestConnections(t *testing.T) {
	var files syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	n := amounts.connections
	if most := int(min(files.Cur, 1<<30)) - 1000; n > most {
		t.Logf("%d connections instead of %d: a process may open %d files", most, n, files.Cur)
		n = most
	}
	s := run(t, filepath.Join(t.TempDir(), "data"))
	c, err := open(t.Context(), s.to, declare("idle"))
	check(t, err)
	defer c.Close()
	base := s.memory()
	table(t, "connections over TLS", "opened, /s", "RSS, MiB", "of it per connection, KiB",
		"live heap, MiB")
	print := func(what, rate string) {
		now := s.memory()
		row(t, fmt.Sprint(n, " ", what), rate, mib(now.resident),
			fmt.Sprintf("%.1f", float64(now.resident-base.resident)/1024/float64(n)), mib(now.heap))
	}
	begin := time.Now()
	conns, err := connect(t.Context(), s.to, n)
	check(t, err)
	print("with a channel", fmt.Sprintf("%.0f", float64(n)/time.Since(begin).Seconds()))
	check(t, spread(n, func(_, i int) error { return echo(conns[i]) }))
	print("after a message", "")
	check(t, spread(n, func(_, i int) error { return conns[i].Goodbye() }))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	late, err := open(ctx, s.to)
	check(t, err)
	check(t, late.Goodbye())
	check(t, c.Goodbye())
	check(t, s.Stop())
}

// echo publishes a message of 4 KiB and gets one.
func echo(c *amqpclient.Conn) error {
	if err := c.Publish(channel, "", "idle", false, make([]byte, 4<<10)); err != nil {
		return err
	}
	m, err := c.Call(channel, &wire.BasicGet{Queue: "idle", NoAck: true})
	if err != nil {
		return err
	}
	if _, ok := m.(*wire.BasicGetOk); !ok {
		return fmt.Errorf("got %s, want a message", m.ID())
	}
	return nil
}
