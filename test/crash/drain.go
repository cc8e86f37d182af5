package crash

import (
	"fmt"
	"sync"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/ledger"
)

// drainWindow is the prefetch of a drain.
const drainWindow = 300

// drain empties the durable queues side by side, and deletes each when it is
// certain to be empty, which proves that the broker thinks so, too.
func (r *round) drain(delete bool) error {
	var work sync.WaitGroup
	names := r.plan.durable()
	errs := make([]error, len(names))
	for i, name := range names {
		work.Go(func() {
			if errs[i] = r.drainQueue(name, delete); errs[i] != nil {
				errs[i] = fmt.Errorf("drain %s: %w", name, errs[i])
			}
		})
	}
	work.Wait()
	return r.failed(errs)
}

func (r *round) drainQueue(name string, delete bool) error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	count, err := r.count(c, name)
	if err != nil {
		return err
	}
	if err := r.take(c, name, count); err != nil {
		return err
	}
	if err := c.Goodbye(); err != nil || !delete {
		return err
	}
	return r.delete(name)
}

// count asks how many messages are ready.
func (r *round) count(c *amqpclient.Conn, name string) (uint32, error) {
	m, err := c.Call(channel, &wire.QueueDeclare{Queue: name, Passive: true})
	if err != nil {
		return 0, err
	}
	ok, is := m.(*wire.QueueDeclareOk)
	if !is {
		return 0, fmt.Errorf("got %s", m.ID())
	}
	return ok.MessageCount, nil
}

// take reads and acks as many messages as the broker counted.
func (r *round) take(c *amqpclient.Conn, name string, count uint32) error {
	reader := ledger.Reader{Queue: name, Drains: true}
	r.ledger.Consuming(name, drainWindow)
	_, err := c.Call(channel, &wire.BasicQos{PrefetchCount: drainWindow})
	if err == nil {
		err = c.Append(channel, &wire.BasicConsume{Queue: name, ConsumerTag: "d"})
	}
	for n := uint32(0); err == nil && n < count; {
		if !c.Buffered() {
			if err = c.Flush(); err != nil {
				break
			}
		}
		var e amqpclient.Event
		if e, err = c.Next(); err != nil {
			return fmt.Errorf("%d of %d: %w", n, count, err)
		}
		m, ok := e.Method.(*wire.BasicDeliver)
		if _, ended := e.Method.(*wire.BasicCancel); ended {
			return fmt.Errorf("%d of %d: the broker ended the consumer", n, count)
		}
		if !ok {
			continue // consume-ok
		}
		id, err := ledger.ParseBody(e.Body)
		if err != nil {
			return err
		}
		r.ledger.Received(&reader, id, m.Redelivered)
		r.ledger.Acked(name, id)
		r.progress()
		n++
		if n == count || n%(drainWindow/3) == 0 {
			if err := c.Ack(channel, m.DeliveryTag, true); err != nil {
				return err
			}
		}
	}
	if err == nil {
		err = c.Flush()
	}
	return err
}

// delete removes a queue if it is empty.
func (r *round) delete(name string) error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	left, err := r.count(c, name)
	if err != nil {
		return err
	}
	if left > 0 {
		r.ledger.Find("%s: %d messages more than the broker had counted", name, left)
	}
	_, err = c.Call(channel, &wire.QueueDelete{Queue: name, IfEmpty: left == 0})
	return err
}
