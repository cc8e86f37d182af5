package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// load publishes to brokers and consumes from them as fast as they let it.
type load struct {
	t      testing.TB
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	got  atomic.Int64  // messages delivered
	seen int64         // of them in flows
	took time.Duration // in flows
}

const (
	loadWindow = 500 // publishes without an answer; also the prefetch
	loadBody   = 1 << 10
)

func newLoad(t testing.TB) *load {
	l := &load{t: t}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { l.cancel(); l.work.Wait() })
	return l
}

// begin loads a broker with two queues, a publisher and a consumer of each.
func (l *load) begin(url, ca string) {
	l.t.Helper()
	for _, queue := range []string{"load-1", "load-2"} {
		for _, run := range []func(*amqpclient.Conn, string) error{l.consume, l.publish} {
			c, err := amqpclient.Dial(l.ctx, amqpclient.Config{URL: url, CA: ca})
			if err == nil {
				err = c.Open(1)
			}
			if err == nil {
				_, err = c.Call(1, &wire.QueueDeclare{Queue: queue, Durable: true})
			}
			if err != nil {
				l.t.Fatal(err)
			}
			l.work.Go(func() {
				defer c.Close()
				if err := run(c, queue); err != nil && l.ctx.Err() == nil {
					l.t.Error(err)
				}
			})
		}
	}
}

// publish goes on when messages are refused.
func (l *load) publish(c *amqpclient.Conn, queue string) error {
	if _, err := c.Call(1, &wire.ConfirmSelect{}); err != nil {
		return err
	}
	p := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}
	header, err := wire.AppendContentHeader(nil, loadBody, &p)
	if err != nil {
		return err
	}
	m := wire.BasicPublish{RoutingKey: []byte(queue)}
	frames, err := wire.AppendPublish(nil, 1, &m, header, make([]byte, loadBody),
		wire.DefaultFrameMax)
	if err != nil {
		return err
	}
	for sent, told := uint64(0), uint64(0); ; {
		for ; sent-told < loadWindow; sent++ {
			if err := c.AppendRaw(frames); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for again := true; again; again = c.Buffered() {
			e, err := c.Next()
			if err != nil {
				return err
			}
			switch m := e.Method.(type) {
			case *wire.BasicAck:
				told = m.DeliveryTag
			case *wire.BasicNack:
				told = m.DeliveryTag
			}
		}
	}
}

func (l *load) consume(c *amqpclient.Conn, queue string) error {
	_, err := c.Call(1, &wire.BasicQos{PrefetchCount: loadWindow})
	if err == nil {
		_, err = c.Call(1, &wire.BasicConsume{Queue: queue, ConsumerTag: "c"})
	}
	for n := 1; err == nil; n++ {
		var e amqpclient.Event
		if e, err = c.Next(); err != nil {
			break
		}
		m, ok := e.Method.(*wire.BasicDeliver)
		if !ok {
			continue
		}
		l.got.Add(1)
		if n%50 == 0 {
			if err = c.Ack(1, m.DeliveryTag, true); err == nil {
				err = c.Flush()
			}
		}
	}
	return errors.Join(err)
}

// flows waits until the brokers are at full speed again.
func (l *load) flows() {
	l.t.Helper()
	begin, from := time.Now(), l.got.Load()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.got.Load()-from < 2*loadWindow {
		if now := <-tick.C; now.Sub(begin) > time.Minute {
			l.t.Fatal("nothing flows")
		}
	}
	l.seen += l.got.Load() - from
	l.took += time.Since(begin)
}

// end stops the load and tells how many messages per second flowed in flows.
func (l *load) end() float64 {
	l.cancel()
	l.work.Wait()
	return float64(l.seen) / l.took.Seconds()
}
