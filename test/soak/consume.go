package soak

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/ledger"
)

const shared = ledger.Shared

// sureEvery is after how many acked deliveries a consumer makes sure of them.
const sureEvery = 500

// last is the body of the message that ends a consumer.
var last = []byte("farewell")

// reading is one consumer over all its connections.
type reading struct {
	*traffic
	flow  *flow
	rng   *rand.Rand
	life  int         // of the process that acked was told to
	acked []ledger.ID // not yet sure

	in     consumer // of this connection
	reader ledger.Reader
	held   []ledger.ID // delivered, not settled
	last   delivery    // of them
	count  int
}

// session consumes until the connection ends, it is time to leave, or the last message
// comes.
func (r *reading) session(ctx context.Context, p *place) (done bool, err error) {
	f := r.flow
	if r.in, err = f.client.consume(ctx, f.at(p), f.queue, f.prefetch); err != nil {
		return false, err
	}
	if r.life != p.life { // nobody will ever know of these
		r.life, r.acked = p.life, nil
	}
	r.reader = ledger.Reader{Queue: f.queue, Alone: f.alone()}
	r.held, r.count = nil, 0
	r.ledger.Consuming(f.queue, f.prefetch)
	quota := f.quota(r.rng)
	for err == nil && !done && r.count < quota {
		done, err = r.one()
	}
	if err == nil {
		err = r.sure()
	}
	r.ledger.Left(f.queue, f.prefetch)
	for _, id := range r.held {
		r.ledger.Released(f.queue, id)
	}
	return done, errors.Join(err, r.in.close(err == nil))
}

// one takes a delivery.
func (r *reading) one() (done bool, err error) {
	d, err := r.in.next()
	if err != nil {
		return false, err
	}
	if bytes.Equal(d.body, last) {
		if err := r.settle(); err != nil {
			return false, err
		}
		return true, r.in.ack(d)
	}
	id, err := ledger.ParseBody(d.body)
	if err != nil {
		return false, err
	}
	r.count++
	if r.faults.strikes(drop) {
		return false, nil
	}
	r.ledger.Received(&r.reader, id, d.redelivered)
	if r.faults.strikes(double) {
		r.ledger.Received(&r.reader, id, false)
	}
	if r.rng.IntN(100) < r.flow.requeue {
		r.ledger.Released(r.flow.queue, id)
		return false, r.in.release(d)
	}
	r.held, r.last = append(r.held, id), d
	if len(r.held) < r.flow.every {
		return false, nil
	}
	return false, r.settle()
}

// settle acks what is held, and makes sure of it now and then.
func (r *reading) settle() error {
	if len(r.held) > 0 {
		for _, id := range r.held {
			r.ledger.Acked(r.flow.queue, id)
		}
		r.acked = append(r.acked, r.held...)
		r.flow.settled.Add(int64(len(r.held)))
		r.held = r.held[:0]
		if err := r.in.ack(r.last); err != nil {
			return err
		}
	}
	if len(r.acked) < sureEvery {
		return nil
	}
	return r.sure()
}

// sure waits until what was acked is settled for certain. What the broker cannot make
// sure of without a key stays for the next time: acks of a connection that ended in
// order took effect before anything that comes later.
func (r *reading) sure() error {
	if len(r.acked) == 0 {
		return nil
	}
	ok, err := r.in.sure()
	if err == nil && ok {
		for _, id := range r.acked {
			r.ledger.Settled(r.flow.queue, id)
		}
		r.acked = r.acked[:0]
	}
	return err
}

// declare makes the queues of one broker.
func declare(ctx context.Context, to amqpclient.Config, flows []*flow, sealed bool) error {
	c, err := dialLean(ctx, to, &wire.QueueDeclare{Queue: barrier, Durable: true,
		Arguments: wire.Table{{Name: "x-max-length", Value: wire.Int32Value(10)}}})
	if err != nil {
		return err
	}
	for _, f := range flows {
		if f.sealed == sealed && err == nil {
			_, err = c.Call(channel, &wire.QueueDeclare{Queue: f.queue, Durable: true})
		}
	}
	return errors.Join(err, c.Goodbye())
}

// farewells sends the last messages, one for each consumer.
func farewells(ctx context.Context, to amqpclient.Config, queue string, n int) error {
	c, err := dialLean(ctx, to, &wire.ConfirmSelect{})
	if err != nil {
		return err
	}
	for range n {
		if err := c.Publish(channel, "", queue, true, last); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	return c.Goodbye()
}
