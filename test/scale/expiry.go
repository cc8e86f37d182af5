package scale

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/broker"
	"coffer/internal/seal"
)

// every is the time between the messages of a probe.
const every = 2 * time.Millisecond

// probe sends durable messages to a queue of its own at a steady rate and measures
// how long each takes until it is delivered.
type probe struct {
	namespace *broker.Namespace
	queue     *broker.Queue
	phase     *atomic.Int32 // that latencies are counted for: 0 or 1
	phases    [2][]time.Duration

	session *broker.Session
	wake    chan struct{}
}

// run sends and receives until ctx ends, and then until nothing is on its way.
func (p *probe) run(ctx context.Context) (err error) {
	p.wake = make(chan struct{}, 1)
	p.session = p.namespace.NewSession(broker.SessionConfig{Wake: func() {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}})
	background := context.WithoutCancel(ctx)
	defer func() {
		if cerr := p.session.Close(background); err == nil {
			err = cerr
		}
	}()
	_, err = p.session.Consume(ctx, broker.ConsumerSpec{Queue: p.queue, Credit: -1})
	if err != nil {
		return err
	}
	begun := time.Now()
	next := time.NewTicker(every)
	defer next.Stop()
	done := ctx.Done()
	for sent, got := 0, 0; done != nil || got < sent; {
		select {
		case <-done:
			done = nil
			next.Stop()
		case <-next.C:
			if done == nil {
				continue
			}
			if err := p.send(background, begun); err != nil {
				return err
			}
			sent++
		case <-p.wake:
			n, err := p.receive(begun)
			if err != nil {
				return err
			}
			got += n
		}
	}
	return nil
}

// send publishes a message that tells when it was made, and in which phase.
func (p *probe) send(ctx context.Context, begun time.Time) error {
	body := binary.BigEndian.AppendUint64(nil, uint64(time.Since(begun)))
	body = append(body, byte(p.phase.Load()))
	m, err := p.namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
	if err != nil {
		return err
	}
	m.Durable = true
	return p.session.Publish(ctx, []broker.Publishing{
		{Message: m, Targets: []*broker.Queue{p.queue}},
	})
}

func (p *probe) receive(begun time.Time) (n int, err error) {
	var buf [64]broker.Event
	for {
		events := p.session.Next(buf[:0])
		if len(events) == 0 {
			return n, nil
		}
		for i := range events {
			d := &events[i].Delivery
			c, err := p.namespace.OpenDelivery(nil, d)
			if err != nil {
				return n, err
			}
			took := time.Since(begun) - time.Duration(binary.BigEndian.Uint64(c.Body))
			phase := c.Body[8]
			p.phases[phase] = append(p.phases[phase], took)
			p.session.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
			n++
		}
	}
}

// expiry is a queue full of messages beside others under load.
type expiry struct {
	namespace *broker.Namespace
	full      *broker.Queue
	probes    []*probe
	phase     atomic.Int32

	mu    sync.Mutex
	syncs [2][]time.Duration // of the store's log, in each phase
}

// synced is the store's: it notes how long the disk took.
func (x *expiry) synced(took time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	phase := x.phase.Load()
	x.syncs[phase] = append(x.syncs[phase], took)
}

// forgetSyncs leaves out what the disk did before.
func (x *expiry) forgetSyncs() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.syncs[:])
}

// measure lets the probes run, then everything in the full queue expire at once
// under limits, and gives how long it took until done said so.
func (x *expiry) measure(
	ctx context.Context, before time.Duration, limits broker.Limits, done func() bool,
) (took time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.forgetSyncs()
	var work sync.WaitGroup
	for _, p := range x.probes {
		p.phase = &x.phase
		work.Go(func() {
			if err := p.run(ctx); err != nil {
				cancel(fmt.Errorf("probe: %w", err))
			}
		})
	}
	wait := time.NewTimer(before)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	x.phase.Store(1)
	begin := time.Now()
	if err := x.namespace.SetLimits(ctx, x.full, limits); err != nil {
		cancel(err)
	}
	look := time.NewTicker(every)
	defer look.Stop()
	for !done() && ctx.Err() == nil {
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
	took = time.Since(begin)
	err = context.Cause(ctx)
	cancel(nil)
	work.Wait()
	return took, err
}

// latencies gives those of a phase over all probes and of the disk, ascending.
func (x *expiry) latencies(phase int) (all, disk []time.Duration) {
	for _, p := range x.probes {
		all = append(all, p.phases[phase]...)
	}
	x.mu.Lock()
	disk = slices.Clone(x.syncs[phase])
	x.mu.Unlock()
	slices.Sort(all)
	slices.Sort(disk)
	return all, disk
}

// quantile of a sorted list; 0 when it is empty.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[min(int(q*float64(len(list))), len(list)-1)]
}
