// Package backup tests `coffer backup` and `coffer restore` with the built binary:
// under load, interrupted at any point, and used wrongly.
package backup

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/process"
)

const channel = 1

// binary is built once; the folder goes with the test that built it.
func build(t testing.TB) string {
	t.Helper()
	path, err := process.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// server is a running process and its data directory.
type server struct {
	t            testing.TB
	binary, data string
	args         []string
	*process.Process
}

func serve(t testing.TB, binary, data string, args ...string) *server {
	t.Helper()
	s := &server{t: t, binary: binary, data: data, args: args}
	s.start()
	t.Cleanup(func() {
		if s.Process != nil {
			s.Process.Kill()
		}
	})
	return s
}

func (s *server) start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	p, err := process.Start(ctx, s.binary, s.data, s.args...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Process = p
}

func (s *server) kill() {
	s.t.Helper()
	if err := s.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.Process = nil
}

func (s *server) stop() {
	s.t.Helper()
	if err := s.Process.Stop(); err != nil {
		s.t.Fatal(err)
	}
	s.Process = nil
}

func (s *server) dial(ctx context.Context) *amqpclient.Conn {
	s.t.Helper()
	env, err := s.Env(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := amqpclient.Dial(ctx, amqpclient.Config{
		URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]})
	if err == nil {
		err = c.Open(channel)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// run runs a command, which must end with this code.
func run(t testing.TB, code int, binary string, args ...string) process.Result {
	t.Helper()
	r, err := process.Run(t.Context(), binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	if r.Code != code {
		t.Fatalf("coffer %s: code %d, want %d\n%s%s", strings.Join(args, " "), r.Code, code,
			r.Out, r.Err)
	}
	return r
}

// refused runs a command that must fail with these words.
func refused(t testing.TB, words string, binary string, args ...string) {
	t.Helper()
	r, err := process.Run(t.Context(), binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	if r.Code == 0 || !strings.Contains(r.Err, words) {
		t.Errorf("coffer %s: code %d, %q; want words %q", strings.Join(args, " "), r.Code, r.Err,
			words)
	}
}

// load publishes numbered messages to a queue and, if it consumes, settles them.
type load struct {
	t         testing.TB
	queue     string
	size      int
	confirmed atomic.Uint64 // all up to this number
	settled   atomic.Uint64 // the highest whose settlement was sent
	stop      context.CancelFunc
	wg        sync.WaitGroup
}

func startLoad(s *server, queue string, size int, consume bool) *load {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	l := &load{t: s.t, queue: queue, size: size, stop: cancel}
	c := s.dial(ctx)
	for _, m := range []wire.Method{
		&wire.QueueDeclare{Queue: queue, Durable: true}, &wire.ConfirmSelect{},
	} {
		if _, err := c.Call(channel, m); err != nil {
			s.t.Fatal(err)
		}
	}
	l.wg.Go(func() { l.publish(ctx, c) })
	if consume {
		c := s.dial(ctx)
		l.wg.Go(func() { l.consume(ctx, c) })
	}
	s.t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

// publish keeps up to a window of messages unconfirmed.
func (l *load) publish(ctx context.Context, c *amqpclient.Conn) {
	defer c.Close()
	const window = 64
	body := make([]byte, l.size)
	for sent := uint64(0); ctx.Err() == nil; {
		for ; sent < l.confirmed.Load()+window; sent++ {
			binary.BigEndian.PutUint64(body, sent+1)
			if err := c.Publish(channel, "", l.queue, true, body); err != nil {
				return
			}
		}
		if c.Flush() != nil {
			return
		}
		e, err := c.Next()
		if err != nil {
			return
		}
		switch m := e.Method.(type) {
		case *wire.BasicAck:
			l.confirmed.Store(m.DeliveryTag)
		case *wire.BasicNack:
			l.t.Errorf("%s: message %d is refused", l.queue, m.DeliveryTag)
			return
		}
	}
}

func (l *load) consume(ctx context.Context, c *amqpclient.Conn) {
	defer c.Close()
	if _, err := c.Call(channel, &wire.BasicQos{PrefetchCount: 16}); err != nil {
		return
	}
	err := c.Append(channel, &wire.BasicConsume{Queue: l.queue, ConsumerTag: "c"})
	for err == nil && ctx.Err() == nil {
		if err = c.Flush(); err != nil {
			return
		}
		var e amqpclient.Event
		if e, err = c.Next(); err != nil {
			return
		}
		if m, ok := e.Method.(*wire.BasicDeliver); ok {
			l.settled.Store(binary.BigEndian.Uint64(e.Body)) // before it is sent
			err = c.Ack(channel, m.DeliveryTag, false)
		}
	}
}

// reach waits until so many messages are confirmed.
func (l *load) reach(n uint64) {
	l.t.Helper()
	what := fmt.Sprintf("%s: %d messages confirmed", l.queue, n)
	until(l.t, what, func() bool { return l.confirmed.Load() >= n })
}

// until asks again and again until it is so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick, late := time.NewTicker(500*time.Microsecond), time.After(time.Minute)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// drain takes all messages of a queue and gives the first and last number, between
// which none may be missing or out of order.
func drain(s *server, queue string) (first, last uint64) {
	s.t.Helper()
	c := s.dial(s.t.Context())
	defer c.Close()
	m, err := c.Call(channel, &wire.QueueDeclare{Queue: queue, Passive: true})
	if err != nil {
		s.t.Fatal(err)
	}
	left := m.(*wire.QueueDeclareOk).MessageCount
	err = c.Append(channel, &wire.BasicConsume{Queue: queue, ConsumerTag: "d", NoAck: true})
	if err == nil {
		err = c.Flush()
	}
	for err == nil && left > 0 {
		var e amqpclient.Event
		if e, err = c.Next(); err != nil {
			break
		}
		if _, ok := e.Method.(*wire.BasicDeliver); !ok {
			continue
		}
		n := binary.BigEndian.Uint64(e.Body)
		if first == 0 {
			first, last = n, n-1
		}
		if n != last+1 {
			s.t.Fatalf("%s: message %d follows %d", queue, n, last)
		}
		last = n
		left--
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return first, last
}

// rootKey is the file of a data directory.
func rootKey(data string) string { return filepath.Join(data, "root.key") }

// checkpoints lists what backups hold in a data directory.
func checkpoints(t testing.TB, data string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(data, "store", "checkpoints"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

func path(dir string, parts ...any) string { return filepath.Join(dir, fmt.Sprint(parts...)) }
