package soak

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/ledger"
)

// wait lets all clients end, after the context of the run did.
func (t *traffic) wait() {
	t.publish.Wait()
	t.consume.Wait()
}

// measure lets flows do what they can, and sets their pace to a share of it.
func (t *traffic) measure(ctx context.Context) {
	begun := time.Now()
	before := make([]int64, len(t.flows))
	for i, f := range t.flows {
		before[i] = f.confirmed.Load()
	}
	wait(ctx, t.cfg.Measure)
	var all float64
	for i, f := range t.flows {
		rate := float64(f.confirmed.Load()-before[i]) / time.Since(begun).Seconds()
		all += rate
		f.pace.Store(max(1, int64(t.cfg.Share*rate/float64(f.publishers))))
	}
	t.possible, t.offered = all, t.cfg.Share*all
	t.cfg.Logf("measured %.0f messages/s, going on with %.0f", all, t.cfg.Share*all)
}

// drain takes what is left in the queues, and deletes them.
func (t *traffic) drain(ctx context.Context) error {
	return t.host.use(func(p *place) error {
		for _, f := range t.flows {
			if err := t.empty(ctx, f.at(p), f.queue); err != nil {
				return fmt.Errorf("drain %s: %w", f.queue, err)
			}
		}
		return nil
	})
}

// empty drains one queue.
func (t *traffic) empty(ctx context.Context, to amqpclient.Config, queue string) error {
	c, err := dialLean(ctx, to)
	if err != nil {
		return err
	}
	defer c.Close()
	reader := ledger.Reader{Queue: queue, Drains: true}
	for more := true; more; {
		if more, err = t.get(c, &reader); err != nil {
			return err
		}
	}
	_, err = c.Call(channel, &wire.QueueDelete{Queue: queue, IfEmpty: true})
	if err != nil {
		return err
	}
	return c.Goodbye()
}

// get takes a message, if there is one.
func (t *traffic) get(c *amqpclient.Conn, reader *ledger.Reader) (more bool, err error) {
	if err := c.Append(channel, &wire.BasicGet{Queue: reader.Queue}); err != nil {
		return false, err
	}
	if err := c.Flush(); err != nil {
		return false, err
	}
	e, err := c.Next()
	if err != nil {
		return false, err
	}
	m, ok := e.Method.(*wire.BasicGetOk)
	if !ok {
		return false, nil
	}
	if !bytes.Equal(e.Body, last) {
		id, err := ledger.ParseBody(e.Body)
		if err != nil {
			return false, err
		}
		t.ledger.Received(reader, id, m.Redelivered)
		t.ledger.Acked(reader.Queue, id)
	}
	return true, c.Ack(channel, m.DeliveryTag, false)
}
