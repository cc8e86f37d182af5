package amqp091

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/store/embedded"
)

// BenchmarkPublishConsume sends confirmed messages of 1 KiB through loopback
// TCP, each connection to a queue of its own, while as many other connections
// consume and acknowledge them. Durable ones go to a store on disk; transient ones
// show the cost of the protocol, the seal and the broker's index. The clients are
// as lean as can be, but share the cores.
func BenchmarkPublishConsume(b *testing.B) {
	for _, mode := range []uint8{1, 2} {
		for _, pairs := range []int{1, 4} {
			name := map[uint8]string{1: "transient", 2: "durable"}[mode]
			b.Run(fmt.Sprintf("%s/pairs=%d", name, pairs), func(b *testing.B) {
				disk, err := embedded.Open(embedded.Config{Dir: b.TempDir(), Shards: 3})
				if err != nil {
					b.Fatal(err)
				}
				flow(b, serveTest(b, newEngineOn(b, disk), Config{}), mode, pairs)
			})
		}
	}
}

// flow sends b.N messages through pairs of connections.
func flow(b *testing.B, s *service, mode uint8, pairs int) {
	var tasks sync.WaitGroup
	share := b.N/pairs + 1
	var begin []func()
	for i := range pairs {
		queue := fmt.Sprint("q", i)
		p, c := openPeer(b, s), openPeer(b, s)
		p.conn.SetDeadline(time.Time{})
		c.conn.SetDeadline(time.Time{})
		p.send(1, &wire.QueueDeclare{Queue: queue, Durable: true})
		await[*wire.QueueDeclareOk](p)
		p.send(1, &wire.ConfirmSelect{})
		await[*wire.ConfirmSelectOk](p)
		c.send(1, &wire.BasicQos{PrefetchCount: 2000})
		await[*wire.BasicQosOk](c)
		c.send(1, &wire.BasicConsume{Queue: queue})
		await[*wire.BasicConsumeOk](c)
		begin = append(begin, func() { publishAll(p, queue, mode, share) },
			func() { consumeAll(c, share) })
	}
	b.ReportAllocs()
	b.SetBytes(1024)
	b.ResetTimer()
	for _, fn := range begin {
		tasks.Go(fn)
	}
	tasks.Wait()
	b.StopTimer()
	b.ReportMetric(float64(share*pairs)/b.Elapsed().Seconds(), "msg/s")
}

// publishAll keeps at most window messages unconfirmed.
func publishAll(p *peer, queue string, mode uint8, n int) {
	const chunk, window = 50, 2000
	one := publishFrames(1, "", queue, strings.Repeat("x", 1024), mode)
	many := bytes.Repeat(one, chunk)
	confirmed := make(chan uint64, window)
	go func() {
		defer close(confirmed)
		for done := uint64(0); done < uint64(n); {
			_, m := p.method()
			done = m.(*wire.BasicAck).DeliveryTag
			confirmed <- done
		}
	}()
	for sent, done := 0, uint64(0); sent < n; {
		size := min(chunk, n-sent)
		p.write(many[:size*len(one)])
		for sent += size; sent-int(done) > window; {
			done = <-confirmed
		}
	}
	for range confirmed {
	}
}

// consumeAll acknowledges for all of a read at once.
func consumeAll(c *peer, n int) {
	for got, acked := 0, 0; got < n; {
		f, ok, err := c.in.next(wire.DefaultFrameMax)
		if err != nil {
			c.t.Error(err)
			return
		}
		if ok {
			if f.Type == wire.FrameBody {
				got++
			}
			continue
		}
		if got > acked {
			c.write(wire.AppendAck(nil, 1, uint64(got), true))
			acked = got
		}
		if _, err := c.in.Fill(); err != nil {
			c.t.Error(err)
			return
		}
	}
}
