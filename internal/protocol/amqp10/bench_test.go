package amqp10

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/store/embedded"
)

// BenchmarkSendReceive sends unsettled messages of 1 KiB through loopback TCP, each
// connection to a queue of its own, while as many other connections receive and accept
// them. Durable ones go to a store on disk; others show the cost of the protocol, the
// seal and the broker's index. The clients are as lean as can be, but share the cores.
func BenchmarkSendReceive(b *testing.B) {
	for _, durable := range []bool{false, true} {
		b.Run(fmt.Sprintf("durable=%t", durable), func(b *testing.B) {
			disk, err := embedded.Open(embedded.Config{Dir: b.TempDir(), Shards: 3})
			if err != nil {
				b.Fatal(err)
			}
			e := newEngineOn(b, disk)
			e.Queue(b, "q")
			s := serveTest(b, e, Config{})
			out, in := openPeer(b, s), openPeer(b, s)
			out.conn.SetDeadline(time.Time{})
			in.conn.SetDeadline(time.Time{})
			in.attach(receiver(0, "/queues/q"))
			in.credit(0, 0, 1<<30, false)
			b.ReportAllocs()
			b.SetBytes(1024)
			b.ResetTimer()
			var tasks sync.WaitGroup
			tasks.Go(func() { out.sendAll(durable, b.N) })
			tasks.Go(func() { in.acceptAll(b.N) })
			tasks.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// sendAll sends as many messages as there is credit for, until n are accepted.
func (p *peer) sendAll(durable bool, n int) {
	p.send(0, sender(0, "/queues/q"))
	h := wire.Header{Durable: durable}
	message := string(h.Append(nil)) + data(strings.Repeat("x", 1024))
	var batch []byte
	var f wire.Flow
	var d wire.Disposition
	sent, credit, accepted := uint32(0), uint32(0), 0
	for accepted < n {
		batch = batch[:0]
		for ; credit > 0 && int(sent) < n; credit-- {
			x := wire.Transfer{DeliveryID: wire.Some(sent), DeliveryTag: []byte("t")}
			var at int
			batch, at = wire.OpenFrame(batch, wire.FrameAMQP, 0)
			batch = wire.CloseFrame(append(x.Append(batch), message...), at)
			sent++
		}
		p.write(batch)
		_, m, err := p.frame()
		switch {
		case err != nil:
			p.t.Error(err)
			return
		case m.Code == wire.CodeFlow && f.Parse(m.Fields) == nil && f.Handle.Set:
			credit = f.DeliveryCount.Value + f.LinkCredit.Value - sent
		case m.Code == wire.CodeDisposition && d.Parse(m.Fields) == nil:
			accepted += int(d.Last.Or(d.First)-d.First) + 1
		}
	}
}

// acceptAll accepts for all of a read at once.
func (p *peer) acceptAll(n int) {
	var x wire.Transfer
	state := (&wire.Accepted{}).Append(nil)
	next := uint32(0)
	for got := uint32(0); int(got) < n; {
		f, ok, err := p.in.next(defaultFrameMax)
		switch {
		case err != nil:
			p.t.Error(err)
			return
		case ok && len(f.Body) > 0:
			m, err := wire.ParsePerformative(f.Body)
			if err != nil {
				p.t.Error(err)
			}
			if m.Code == wire.CodeTransfer && x.Parse(m.Fields) == nil {
				got++
			}
			continue
		}
		if got > next {
			p.send(0, &wire.Disposition{
				Role: wire.RoleReceiver, First: next, Last: wire.Some(got - 1), Settled: true,
				State: state,
			})
			next = got
		}
		if _, err := p.in.Fill(); err != nil {
			p.t.Error(err)
			return
		}
	}
}
