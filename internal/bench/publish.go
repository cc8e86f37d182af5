package bench

import (
	"context"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// spread is how many windows lie between the oldest unconfirmed publish and the newest:
// a broker may confirm out of order.
const spread = 4

// A publisher has one connection. Its writer is whoever calls send; its reader takes
// the confirms.
type publisher struct {
	*link
	r     *run
	index int

	heads   [][]byte // the method frame of each lane
	content []byte   // header and body frames; the stamp is written over
	stampAt int

	room chan struct{} // the reader confirmed something
	ring []int64       // when the last publishes were due, by tag; 0: confirmed
	mask uint64
	// sent is the newest tag, and written before its publish is; open is how many are not
	// confirmed, low how many of the oldest are.
	sent, low atomic.Uint64
	open      atomic.Int64
	refused   []uint64 // tags; the reader's
}

// newPublisher connects.
func (r *run) newPublisher(ctx context.Context, i int) (*publisher, error) {
	l, err := r.link(ctx, fmt.Sprint("publisher ", i), &wire.ConfirmSelect{})
	if err != nil {
		return nil, err
	}
	size := 1 << bits.Len(uint(r.cfg.Window*spread-1))
	p := &publisher{
		link: l, r: r, index: i,
		room: make(chan struct{}, 1), ring: make([]int64, size), mask: uint64(size - 1),
	}
	return p, p.encode()
}

// encode prepares the frames of all that will be sent.
func (p *publisher) encode() error {
	cfg := &p.r.cfg
	for lane := p.index; lane < p.r.plan.lanes(); lane += p.r.plan.publishers {
		m := wire.BasicPublish{RoutingKey: []byte(p.r.queueName(p.r.plan.queue(lane)))}
		if cfg.Fanout {
			m = wire.BasicPublish{Exchange: []byte(p.r.exchangeName())}
		}
		head, err := wire.AppendMethod(nil, channel, &m)
		if err != nil {
			return err
		}
		p.heads = append(p.heads, head)
	}
	properties := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}
	if cfg.Transient {
		properties.DeliveryMode = 1
	}
	header, err := wire.AppendContentHeader(nil, uint64(cfg.Size), &properties)
	if err != nil {
		return err
	}
	p.content = wire.AppendHeader(nil, channel, header)
	p.stampAt = len(p.content) + wire.FrameOverhead - 1 // before the body's end octet
	p.content = wire.AppendBody(p.content, channel, p.r.body, p.FrameMax())
	return nil
}

// put adds one message to what the next Flush sends.
func (p *publisher) put(due int64) error {
	tag := p.sent.Load() + 1
	lane, seq := p.r.plan.tagged(p.index, tag)
	s := stamp{run: p.r.id, lane: uint32(lane), seq: seq, due: due}
	s.put(p.content[p.stampAt:])
	p.ring[tag&p.mask] = max(due, 1)
	p.open.Add(1)
	p.sent.Store(tag)
	if err := p.AppendRaw(p.heads[(tag-1)%uint64(len(p.heads))]); err != nil {
		return err
	}
	return p.AppendRaw(p.content)
}

// free is how many messages may be sent now.
func (p *publisher) free() int {
	window, span := p.r.cfg.Window-int(p.open.Load()), len(p.ring)-int(p.sent.Load()-p.low.Load())
	return min(window, span)
}

// send publishes most messages, or until stop is closed, at the times that pace says,
// and waits for no confirm but to keep the window. It returns early when ctx ends.
func (p *publisher) send(ctx context.Context, most int64, stop <-chan struct{}, at pace) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for sent := int64(0); sent < most; {
		n := min(int64(p.free()), most-sent, at.due(p.r.now())-sent)
		if n <= 0 {
			p.wait(ctx, stop, timer, at.time(sent))
		} else if err := p.burst(n, sent, at); err != nil {
			return p.explain(err)
		}
		sent += max(n, 0)
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return nil
		default:
		}
	}
	return nil
}

// burst sends n messages, the first of which is message number sent of the pace.
func (p *publisher) burst(n, sent int64, at pace) error {
	for i := range n {
		due := at.time(sent + i)
		if due == 0 {
			due = p.r.now()
		}
		if err := p.put(due); err != nil {
			return err
		}
	}
	p.r.meters.of(p.index).published.Add(n)
	return p.Flush()
}

// wait returns when the window may have room, or at the time of the next message.
func (p *publisher) wait(ctx context.Context, stop <-chan struct{}, t *time.Timer, next int64) {
	var wake <-chan time.Time
	if p.free() > 0 {
		t.Reset(time.Duration(next - p.r.now()))
		wake = t.C
	}
	select {
	case <-p.room:
	case <-wake:
	case <-stop:
	case <-ctx.Done():
	}
}

// read takes confirms until the connection is closed in order.
func (p *publisher) read() error {
	for {
		e, err := p.Next()
		if err != nil {
			return p.explain(err)
		}
		switch m := e.Method.(type) {
		case *wire.BasicAck:
			err = p.settle(m.DeliveryTag, m.Multiple, true)
		case *wire.BasicNack:
			err = p.settle(m.DeliveryTag, m.Multiple, false)
		case *wire.ConnectionCloseOk:
			return nil
		default:
			err = p.other(e.Method)
		}
		if err != nil {
			return p.explain(err)
		}
		if !p.Buffered() {
			select {
			case p.room <- struct{}{}:
			default:
			}
		}
	}
}

// settle takes one confirm, of a tag or of all up to it.
func (p *publisher) settle(tag uint64, multiple, kept bool) error {
	sent, low, now := p.sent.Load(), p.low.Load(), p.r.now()
	if tag > sent || !multiple && (tag <= low || p.ring[tag&p.mask] == 0) {
		return fmt.Errorf("the broker confirmed publish %d, which is none of the open ones", tag)
	}
	first := tag
	if multiple {
		first = low + 1
	}
	meter, done := p.r.meters.of(p.index), int64(0)
	for t := first; t <= tag; t++ {
		due := p.ring[t&p.mask]
		if due == 0 {
			continue // confirmed before
		}
		p.ring[t&p.mask] = 0
		done++
		switch {
		case !kept:
			p.refused = append(p.refused, t)
		case due >= p.r.from.Load():
			meter.confirm.add(now - due)
		}
	}
	for low < sent && p.ring[(low+1)&p.mask] == 0 {
		low++
	}
	p.low.Store(low)
	p.open.Add(-done)
	if kept {
		meter.confirmed.Add(done)
	} else {
		meter.refused.Add(done)
	}
	return nil
}
