package bench

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// recent is how many messages of a sender it is known of when their sending was
// answered.
const recent = 1 << 14

// A sender has one connection, and sends to one queue.
type sender struct {
	*sqsConn
	r     *sqsRun
	index int
	op    *sqsCall
	body  []byte

	sent     uint64
	answered [recent]atomic.Int64 // by number
}

func (r *sqsRun) newSender(ctx context.Context, i int) (*sender, error) {
	c, err := dialSQS(ctx, &r.cfg.Target)
	if err != nil {
		return nil, err
	}
	name := "SendMessage"
	if r.cfg.Batch > 1 {
		name = "SendMessageBatch"
	}
	return &sender{sqsConn: c, r: r, index: i, op: c.operation(name)}, nil
}

// send sends most messages, or until stop, at the times that pace says.
func (s *sender) send(most int64, stop *atomic.Bool, at pace) error {
	meter := s.r.meters.of(s.index)
	for n := int64(0); n < most && !stop.Load() && s.ctx.Err() == nil; {
		due := at.time(n)
		if wait := due - s.r.now(); due != 0 && wait > 0 {
			select {
			case <-time.After(time.Duration(wait)):
			case <-s.ctx.Done():
			}
			continue
		}
		if due == 0 {
			due = s.r.now()
		}
		count := min(int64(s.r.cfg.Batch), most-n)
		meter.published.Add(count)
		if err := s.request(due, int(count)); err != nil {
			return fmt.Errorf("sender %d: %w", s.index, err)
		}
		if due >= s.r.from.Load() {
			meter.confirm.add(s.r.now() - due)
		}
		meter.confirmed.Add(count)
		n += count
	}
	return nil
}

// request sends count messages to one queue.
func (s *sender) request(due int64, count int) error {
	s.body = append(append(s.body[:0], `{"QueueUrl":`...), s.r.queues[s.r.plan.queue(s.index)]...)
	if s.r.cfg.Batch == 1 {
		s.message(due, 0)
	} else {
		s.body = append(s.body, `,"Entries":[`...)
		for i := range count {
			if i > 0 {
				s.body = append(s.body, ',')
			}
			s.body = appendID(s.body, i)
			s.message(due, i)
			s.body = append(s.body, '}')
		}
		s.body = append(s.body, ']')
	}
	s.body = append(s.body, '}')
	answer, err := s.do(s.op, s.body)
	if err != nil {
		return err
	}
	if n := bytes.Count(answer, []byte(`"MessageId"`)); n != count {
		return fmt.Errorf("%d of %d messages were taken: %.500s", n, count, answer)
	}
	now := s.r.now()
	for i := range count {
		s.answered[(s.sent+uint64(i))%recent].Store(now)
	}
	s.sent += uint64(count)
	return nil
}

// message appends the members of the message that comes i after the last one sent.
func (s *sender) message(due int64, i int) {
	st := stamp{run: s.r.id, lane: uint32(s.index), seq: s.sent + uint64(i), due: due}
	s.body = append(s.body, `,"MessageBody":"`...)
	s.body = append(appendText(s.body, st, s.r.text), '"')
	if s.r.cfg.FIFO {
		s.body = fmt.Appendf(s.body, `,"MessageGroupId":"%d","MessageDeduplicationId":"%d-%d"`,
			s.index, s.index, st.seq)
	}
}
