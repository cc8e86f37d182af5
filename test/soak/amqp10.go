package soak

import (
	"bytes"
	"context"
	"errors"
	"net/url"

	amqp10 "github.com/Azure/go-amqp"

	"coffer/internal/amqpclient"
)

// modern is Azure's client of AMQP 1.0.
type modern struct{}

var _ client = modern{}

// link10 is a connection with one session.
type link10 struct {
	ctx     context.Context
	conn    *amqp10.Conn
	session *amqp10.Session
}

func dial10(ctx context.Context, to amqpclient.Config) (*link10, error) {
	cfg, err := trust(to)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(to.URL)
	if err != nil {
		return nil, errors.New("the AMQP URL is malformed")
	}
	u.Path, u.RawPath = "", ""
	conn, err := amqp10.Dial(ctx, u.String(), &amqp10.ConnOptions{TLSConfig: cfg})
	if err != nil {
		return nil, err
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &link10{ctx, conn, session}, nil
}

func (l *link10) close(bool) error {
	err := l.conn.Close()
	if e, ok := errors.AsType[*amqp10.ConnError](err); ok && e.RemoteErr == nil {
		return nil // it says so of every end, its own too
	}
	return err
}

func (l *link10) sender(queue string) (*amqp10.Sender, error) {
	return l.session.NewSender(l.ctx, "/queues/"+queue, nil)
}

func durable(body []byte) *amqp10.Message {
	m := amqp10.NewMessage(body)
	m.Header = &amqp10.MessageHeader{Durable: true, Priority: 4}
	return m
}

func (modern) publish(
	ctx context.Context, to amqpclient.Config, queue string,
) (publisher, error) {
	l, err := dial10(ctx, to)
	if err != nil {
		return nil, err
	}
	p := &modernPublisher{link10: l, receipts: make(chan amqp10.SendReceipt, 1000)}
	if p.out, err = l.sender(queue); err != nil {
		return nil, errors.Join(err, l.close(false))
	}
	return p, nil
}

type modernPublisher struct {
	*link10
	out      *amqp10.Sender
	receipts chan amqp10.SendReceipt
	seq      uint64
}

func (p *modernPublisher) send(body []byte) error {
	// The library keeps the message until it is written.
	r, err := p.out.SendWithReceipt(p.ctx, durable(bytes.Clone(body)), nil)
	if err == nil {
		p.receipts <- r
	}
	return err
}

func (p *modernPublisher) flush() error { return nil }

func (p *modernPublisher) told() (verdict, error) {
	var r amqp10.SendReceipt
	select {
	case r = <-p.receipts:
	case <-p.conn.Done():
		return verdict{}, errors.Join(errors.New("amqp: connection closed"), p.conn.Err())
	case <-p.ctx.Done():
		return verdict{}, context.Cause(p.ctx)
	}
	state, err := r.Wait(p.ctx)
	if err != nil {
		return verdict{}, err
	}
	p.seq++
	return verdict{seq: p.seq, ok: accepted(state)}, nil
}

func accepted(state amqp10.DeliveryState) bool {
	_, ok := state.(*amqp10.StateAccepted)
	return ok
}

func (modern) consume(
	ctx context.Context, to amqpclient.Config, queue string, prefetch int,
) (consumer, error) {
	l, err := dial10(ctx, to)
	if err != nil {
		return nil, err
	}
	c := &modernConsumer{link10: l}
	if c.barrier, err = l.sender(barrier); err == nil {
		c.in, err = l.session.NewReceiver(ctx, "/queues/"+queue,
			&amqp10.ReceiverOptions{Credit: int32(prefetch)})
	}
	if err != nil {
		return nil, errors.Join(err, l.close(false))
	}
	return c, nil
}

type modernConsumer struct {
	*link10
	in      *amqp10.Receiver
	barrier *amqp10.Sender
	tag     uint64
	held    []*amqp10.Message
}

func (c *modernConsumer) next() (delivery, error) {
	m, err := c.in.Receive(c.ctx, nil)
	if err != nil {
		return delivery{}, err
	}
	c.tag++
	c.held = append(c.held, m)
	return delivery{c.tag, m.GetData(), m.Header == nil || !m.Header.FirstAcquirer}, nil
}

// ack accepts all that is held, which d is the last of.
func (c *modernConsumer) ack(delivery) error {
	for _, m := range c.held {
		if err := c.in.AcceptMessage(c.ctx, m); err != nil {
			return err
		}
	}
	c.held = c.held[:0]
	return nil
}

// close ends the session first if all is well: the end of a connection is not waited for by
// the library, so that what was held could come back behind what the next one got.
func (c *modernConsumer) close(inOrder bool) (err error) {
	if inOrder {
		err = c.session.Close(c.ctx)
	}
	return errors.Join(err, c.link10.close(inOrder))
}

// release puts back the last one that came.
func (c *modernConsumer) release(delivery) error {
	last := len(c.held) - 1
	m := c.held[last]
	c.held = c.held[:last]
	return c.in.ReleaseMessage(c.ctx, m)
}

// sure waits for a message on the same session, which is handled after all acks.
func (c *modernConsumer) sure() (bool, error) {
	r, err := c.barrier.SendWithReceipt(c.ctx, durable([]byte("sure")), nil)
	if err != nil {
		return false, err
	}
	state, err := r.Wait(c.ctx)
	return err == nil && accepted(state), err
}
