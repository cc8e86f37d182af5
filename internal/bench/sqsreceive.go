package bench

import (
	"bytes"
	"context"
	"fmt"
)

// A receiver has one connection. It receives from one queue, or several in turn, and
// deletes what it got before it asks again.
type receiver struct {
	*sqsConn // nil until it is needed
	r        *sqsRun
	index    int
	begun    bool

	get, remove *sqsCall
	asks        [][]byte // bodies of the requests that receive, by place in queues
	queues      []int
	books       map[int]*book
	body        []byte
	handles     [][]byte
	took, woke  *latencies
}

func (r *sqsRun) newReceiver(i int) *receiver {
	c := &receiver{
		r: r, index: i, books: map[int]*book{}, took: newLatencies(), woke: newLatencies(),
	}
	wait := r.cfg.Wait
	if r.cfg.Receivers < r.cfg.Queues {
		wait = 0
	}
	for q := i % r.cfg.Queues; q < r.cfg.Queues; q += r.cfg.Receivers {
		c.queues, c.books[q] = append(c.queues, q), newBook(&r.plan, r.id, q)
		c.asks = append(c.asks, fmt.Appendf(nil,
			`{"QueueUrl":%s,"MaxNumberOfMessages":%d,"WaitTimeSeconds":%d}`,
			r.queues[q], r.cfg.Batch, wait))
	}
	return c
}

// connect opens the connections of all receivers that have none. That is just before they
// make requests: servers close those that are idle for some seconds.
func (r *sqsRun) connect(ctx context.Context) error {
	return inParallel(len(r.receivers), func(i int) (err error) {
		c := r.receivers[i]
		if c.sqsConn != nil {
			return nil
		}
		if c.sqsConn, err = dialSQS(ctx, &r.cfg.Target); err != nil {
			return err
		}
		remove := "DeleteMessage"
		if r.cfg.Batch > 1 {
			remove = "DeleteMessageBatch"
		}
		c.get, c.remove = c.operation("ReceiveMessage"), c.operation(remove)
		return nil
	})
}

// receive asks until the run is over.
func (c *receiver) receive(ctx context.Context) error {
	for turn := 0; !c.r.over.Load() && ctx.Err() == nil; turn++ {
		q := turn % len(c.queues)
		if err := c.once(q); err != nil {
			return fmt.Errorf("receiver %d: %w", c.index, err)
		}
	}
	return nil
}

// once receives from one queue and deletes.
func (c *receiver) once(q int) error {
	begin := c.r.now()
	answer, err := c.do(c.get, c.asks[q])
	if err != nil {
		return err
	}
	fresh, err := c.take(c.books[c.queues[q]], answer)
	if err != nil || len(c.handles) == 0 {
		return err
	}
	if begin >= c.r.from.Load() {
		c.took.add(c.r.now() - begin)
	}
	if err := c.delete(c.r.queues[c.queues[q]]); err != nil {
		return err
	}
	c.r.meters.of(c.index).delivered.Add(fresh)
	return nil
}

// take notes the messages of an answer.
func (c *receiver) take(b *book, answer []byte) (fresh int64, err error) {
	c.handles, c.body = c.handles[:0], c.body[:0]
	bodies := 0
	for s := (scan{answer}); ; {
		value, name := s.next("Body", "ReceiptHandle")
		switch name {
		case "Body":
			bodies++
			if c.note(b, value) {
				fresh++
			}
			continue
		case "ReceiptHandle":
			// The answer is gone when the request that deletes is answered, not before.
			c.handles = append(c.handles, value)
			continue
		}
		if bodies != len(c.handles) {
			err = fmt.Errorf("%d messages have %d handles", bodies, len(c.handles))
		}
		return fresh, err
	}
}

// note counts a message.
func (c *receiver) note(b *book, text []byte) (fresh bool) {
	s, ok := textStamp(text)
	if !ok {
		b.Foreign++
		return false
	}
	if fresh = b.note(s, false); !fresh || s.due < c.r.from.Load() {
		return fresh
	}
	now := c.r.now()
	c.r.meters.of(c.index).through.add(now - s.due)
	at := c.r.senders[s.lane].answered[s.seq%recent].Load()
	if at >= s.due { // else it is here before that, or from before the measurement
		c.woke.add(now - at)
	}
	return fresh
}

// delete removes what take gave handles of.
func (c *receiver) delete(url string) error {
	c.body = append(append(c.body[:0], `{"QueueUrl":`...), url...)
	if c.r.cfg.Batch == 1 {
		c.body = append(append(c.body, `,"ReceiptHandle":"`...), c.handles[0]...)
		c.body = append(c.body, `"}`...)
		_, err := c.do(c.remove, c.body)
		return err
	}
	c.body = append(c.body, `,"Entries":[`...)
	for i, h := range c.handles {
		if i > 0 {
			c.body = append(c.body, ',')
		}
		c.body = append(append(appendID(c.body, i), `,"ReceiptHandle":"`...), h...)
		c.body = append(c.body, `"}`...)
	}
	c.body = append(c.body, `]}`...)
	answer, err := c.do(c.remove, c.body)
	if err != nil {
		return err
	}
	if n := bytes.Count(answer, []byte(`"Id"`)); n != len(c.handles) ||
		bytes.Contains(answer, []byte(`"SenderFault"`)) {
		return fmt.Errorf("not all of %d messages were deleted: %.500s", len(c.handles), answer)
	}
	return nil
}
