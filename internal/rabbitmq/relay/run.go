package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// run is one Run. Its fields belong to loop.
type run struct {
	Config
	counters *Counters

	deliveries <-chan amqp.Delivery // nil: not consuming
	sourceLost chan *amqp.Error
	targetLost chan *amqp.Error
	cancelled  chan string
	returned   chan amqp.Return

	pending []sent   // published and not confirmed, in order
	held    []uint64 // tags of what the target refused
	again   <-chan time.Time
	ready   uint64 // the last tag to be settled, when nothing is held
}

// sent is a message on its way.
type sent struct {
	tag       uint64
	confirmed *amqp.DeferredConfirmation
}

func (r *run) loop(ctx context.Context) error {
	done, late := ctx.Done(), (<-chan time.Time)(nil)
	for {
		if r.counters.Left.Load() == 0 || late != nil && len(r.pending) == 0 {
			return r.finish(ctx)
		}
		err := error(nil)
		select {
		case d, ok := <-r.next(late != nil):
			err = r.take(&d, ok)
		case <-r.head():
			err = r.settle()
		case want := <-r.Demand:
			err = r.demand(want)
		case <-r.again:
			err = r.giveBack()
		case <-r.cancelled:
			err = errors.New("source: the queue is gone: its consumer was cancelled")
		case e := <-r.sourceLost:
			err = lost("source", e)
		case e := <-r.targetLost:
			err = lost("destination", e)
		case <-r.returned:
			err = ErrUnroutable
		case <-done: // what was sent is settled, so that it need not come twice
			timer := time.NewTimer(r.Grace)
			defer timer.Stop()
			done, late = nil, timer.C
		case <-late:
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// next is where deliveries come from, while they are wanted.
func (r *run) next(stopping bool) <-chan amqp.Delivery {
	if stopping || r.counters.Unsent.Load() == 0 || len(r.pending) >= r.Prefetch {
		return nil
	}
	return r.deliveries
}

// head is closed when the oldest message on its way is confirmed or refused.
func (r *run) head() <-chan struct{} {
	if len(r.pending) == 0 {
		return nil
	}
	return r.pending[0].confirmed.Done()
}

// take forwards a delivery.
func (r *run) take(d *amqp.Delivery, ok bool) error {
	if !ok {
		return r.ended()
	}
	if r.Mode == NoAck {
		if err := r.ack(d.DeliveryTag, false); err != nil {
			return err
		}
	}
	m, ok := r.Make(d)
	if !ok {
		if r.Mode == NoAck {
			return nil
		}
		return r.ack(d.DeliveryTag, false)
	}
	confirmed, err := r.Target.PublishWithDeferredConfirm(
		m.Exchange, m.Key, m.Mandatory, false, m.Publishing)
	if err != nil {
		return r.unless(r.targetLost, "destination", err)
	}
	r.counters.Forwarded.Add(1)
	r.count(&r.counters.Unsent, -1)
	if r.Mode == OnConfirm {
		r.pending = append(r.pending, sent{d.DeliveryTag, confirmed})
		r.counters.Pending.Store(int64(len(r.pending)))
		return nil
	}
	r.count(&r.counters.Left, -1)
	if r.Mode == OnPublish {
		return r.ack(d.DeliveryTag, false)
	}
	return nil
}

// settle takes every confirmation that is there, and settles at the source in one.
func (r *run) settle() error {
	for len(r.pending) > 0 {
		p := r.pending[0]
		select {
		case <-p.confirmed.Done():
		default:
			return r.flush()
		}
		if len(r.returned) > 0 { // it came before its confirmation
			return ErrUnroutable
		}
		r.pending[0] = sent{}
		r.pending = r.pending[1:]
		r.counters.Pending.Store(int64(len(r.pending)))
		if !p.confirmed.Acked() {
			if err := r.refused(p.tag); err != nil {
				return err
			}
			continue
		}
		r.count(&r.counters.Left, -1)
		if len(r.held) == 0 {
			r.ready = p.tag
		} else if err := r.ack(p.tag, false); err != nil {
			return err
		}
	}
	return r.flush()
}

// flush settles up to the last message that may be.
func (r *run) flush() error {
	if r.ready == 0 {
		return nil
	}
	tag := r.ready
	r.ready = 0
	return r.ack(tag, true)
}

// refused holds a message that the target did not take. It goes back to the source after
// a pause: at once it would come again at once.
func (r *run) refused(tag uint64) error {
	if err := r.flush(); err != nil { // later ones are settled one by one
		return err
	}
	if r.again == nil {
		r.again = time.After(r.Pause)
	}
	r.held = append(r.held, tag)
	r.count(&r.counters.Unsent, 1)
	return nil
}

func (r *run) giveBack() error {
	r.again = nil
	for _, tag := range r.held {
		if err := r.Source.Nack(tag, false, true); err != nil {
			return r.unless(r.sourceLost, "source", err)
		}
	}
	r.held = nil
	return nil
}

func (r *run) ack(tag uint64, multiple bool) error {
	if err := r.Source.Ack(tag, multiple); err != nil {
		return r.unless(r.sourceLost, "source", err)
	}
	return nil
}

// count adds to a counter that has a limit.
func (r *run) count(c interface{ Add(int64) int64 }, n int64) {
	if r.Count != Unlimited {
		c.Add(n)
	}
}

// demand begins or ends consuming.
func (r *run) demand(want bool) error {
	if want == (r.deliveries != nil) {
		return nil
	}
	if want {
		return r.consume()
	}
	// What was delivered already is forwarded: the broker has it as ours.
	if err := r.Source.Cancel(r.Tag, false); err != nil {
		return r.unless(r.sourceLost, "source", err)
	}
	for d := range r.deliveries {
		if err := r.take(&d, true); err != nil {
			return err
		}
	}
	r.deliveries = nil
	return nil
}

// finish gives the rest back to the source by closing its channel.
func (r *run) finish(ctx context.Context) error {
	if err := r.Source.Close(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("source: %w", err)
	}
	if r.counters.Left.Load() == 0 {
		return nil
	}
	return ctx.Err()
}

// ended explains that deliveries end.
func (r *run) ended() error {
	r.deliveries = nil
	select {
	case e := <-r.sourceLost:
		return lost("source", e)
	case <-r.cancelled:
		return errors.New("source: the queue is gone: its consumer was cancelled")
	case <-time.After(r.Grace): // the library tells both before or soon after
		return errors.New("source: deliveries ended")
	}
}

// unless prefers the broker's own words about a channel to those of the library.
func (r *run) unless(gone <-chan *amqp.Error, end string, err error) error {
	select {
	case e := <-gone:
		return lost(end, e)
	case <-time.After(r.Grace / 10):
		return fmt.Errorf("%s: %w", end, err)
	}
}

// lost puts the end of a channel into words.
func lost(end string, e *amqp.Error) error {
	if e == nil {
		return fmt.Errorf("%s: the connection was closed", end)
	}
	return fmt.Errorf("%s: %d %s", end, e.Code, e.Reason)
}
