package soak

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/amqpclient"
)

// flow is one queue, those who publish to it and those who read it.
type flow struct {
	queue      string
	sealed     bool // on the broker under a customer's key
	client     client
	publishers int
	consumers  int
	share      float64 // of the rate of all flows, where that is given
	size       int     // octets of a body
	window     int     // publishes that are not told of
	prefetch   int
	every      int // deliveries that one ack settles
	requeue    int // percent of deliveries that go back
	leave      int // messages after which a client connects anew; 0: never

	pace      atomic.Int64 // messages per second of each publisher; 0: what it can
	confirmed atomic.Int64
	settled   atomic.Int64
}

// alone reports whether all that the consumer gets must be in order.
func (f *flow) alone() bool { return f.consumers == 1 && f.requeue == 0 }

// maxBehind is how many confirmed messages may wait in a queue before its publishers wait.
const maxBehind = 20_000

func (f *flow) behind() int64 { return f.confirmed.Load() - f.settled.Load() }

// quota is after how many messages a client leaves.
func (f *flow) quota(rng *rand.Rand) int {
	if f.leave == 0 {
		return math.MaxInt
	}
	return f.leave/2 + rng.IntN(f.leave)
}

func (f *flow) at(p *place) amqpclient.Config {
	if f.sealed {
		return p.sealed
	}
	return p.main
}

// newFlows makes the flows of a run: every client at both brokers, alone and shared,
// steady and leaving again and again.
func newFlows() []*flow {
	list := []*flow{
		{queue: "lean-alone", client: lean{}, share: 4},
		{queue: "lean-shared", client: lean{}, share: 3, consumers: 2, requeue: 2, leave: 20_000},
		{queue: "library-alone", client: library{}, share: 1},
		{queue: "library-shared", client: library{}, share: 1, publishers: 2, consumers: 2,
			requeue: 5, leave: 3000},
		{queue: "modern-alone", client: modern{}, share: 1, leave: 5000},
		{queue: "modern-shared", client: modern{}, share: .5, consumers: 2, requeue: 5},
		{queue: "large", client: lean{}, share: .02, size: 300 << 10, window: 4, every: 1},
		{queue: "sealed-lean", client: lean{}, share: 2, sealed: true},
		{queue: "sealed-library", client: library{}, share: .5, sealed: true, consumers: 2,
			requeue: 2, leave: 3000},
		{queue: "sealed-modern", client: modern{}, share: .5, sealed: true},
	}
	for _, f := range list {
		f.publishers, f.consumers = max(f.publishers, 1), max(f.consumers, 1)
		if f.size == 0 {
			f.size, f.window, f.every = 1<<10, 200, 20
		}
		if _, ok := f.client.(lean); ok && f.window == 200 {
			f.window, f.every = 1000, 100
		}
		f.prefetch = 2 * f.every
	}
	return list
}

// setPace divides a rate among flows.
func setPace(flows []*flow, rate float64) {
	var all float64
	for _, f := range flows {
		all += f.share
	}
	for _, f := range flows {
		f.pace.Store(max(1, int64(rate*f.share/all/float64(f.publishers))))
	}
}

// traffic runs all flows.
type traffic struct {
	*run
	flows    []*flow
	latency  latencies
	refused  atomic.Int64
	stopping chan struct{} // closed when publishers are to end
	publish  sync.WaitGroup
	consume  sync.WaitGroup
}

// start declares the queues and begins.
func (t *traffic) start(ctx context.Context) error {
	err := t.host.use(func(p *place) error {
		for _, to := range []amqpclient.Config{p.main, p.sealed} {
			if err := declare(ctx, to, t.flows, to == p.sealed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	for i, f := range t.flows {
		t.ledger.Queue(f.queue, shared, true, "")
		for n := range f.publishers {
			s := &sending{traffic: t, flow: f, rng: t.random(i, 2*n)}
			t.publish.Go(func() { t.forever(ctx, "publish "+f.queue, s.session) })
		}
		for n := range f.consumers {
			r := &reading{traffic: t, flow: f, rng: t.random(i, 2*n+1)}
			t.consume.Go(func() { t.forever(ctx, "consume "+f.queue, r.session) })
		}
	}
	return nil
}

// again is when a client comes again after an error.
const again = 50 * time.Millisecond

// forever begins session after session until one is done or ctx ends.
func (t *traffic) forever(
	ctx context.Context, what string, session func(context.Context, *place) (bool, error),
) {
	for done := false; !done && ctx.Err() == nil; {
		begun := time.Now()
		err := t.host.use(func(p *place) (err error) {
			done, err = session(ctx, p)
			return err
		})
		if ctx.Err() == nil && t.judge(what, err, begun) {
			wait(ctx, again)
		}
	}
}

// end lets publishers end when all was told, then consumers when all was read, and
// gives how many messages are left.
func (t *traffic) end(ctx context.Context) error {
	close(t.stopping)
	if err := waitFor(ctx, "the publishers", t.publish.Wait); err != nil {
		return err
	}
	err := t.host.use(func(p *place) error {
		for _, f := range t.flows {
			if err := farewells(ctx, f.at(p), f.queue, f.consumers); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("end: %w", err)
	}
	return waitFor(ctx, "the consumers", t.consume.Wait)
}

// waitFor bounds what must come to an end by itself.
func waitFor(ctx context.Context, what string, wait func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-late.C:
		return fmt.Errorf("%s did not end in %v", what, patience)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
