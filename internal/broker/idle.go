package broker

import (
	"context"
	"errors"
	"sync"

	"coffer/internal/fault"
)

// use notes that q is being used: declared, read, or left by a consumer.
func (sh *shard) use(q *Queue) {
	q.state.used = sh.time
	if q.state.limits.Idle.Set {
		sh.touch(q)
	}
}

// idleAt gives the shard time at which q has been idle for too long; 0: not as
// things are.
func (q *Queue) idleAt() int64 {
	st := &q.state
	if !st.limits.Idle.Set || len(st.consumers) > 0 || st.receivers.len() > 0 {
		return 0
	}
	return later(st.used, st.limits.Idle.N)
}

// rest lets a queue that was idle for too long be deleted. After a start its time
// begins anew.
func (sh *shard) rest(q *Queue) {
	st := &q.state
	if st.used == 0 {
		st.used = max(sh.time, 1)
	}
	at := q.idleAt()
	switch {
	case at == 0 || at == maxTime || st.ending:
	case at <= sh.time:
		st.ending = true
		sh.core.sweeper.add(q)
	default:
		sh.wakeAt(q, at)
	}
}

// renew is use for a queue that was declared, by another goroutine.
func (n *Namespace) renew(ctx context.Context, q *Queue) error {
	if !q.Limits().Idle.Set {
		return nil
	}
	_, err := n.shard.ask(context.WithoutCancel(ctx), request{kind: reqUse, q: q})
	return err
}

// Depth gives the messages of q that wait and its consumers, as of everything that
// the session asked for before. It is a use of the queue.
func (s *Session) Depth(ctx context.Context, q *Queue) (ready int64, consumers int, err error) {
	if _, err := s.ask(ctx, request{kind: reqUse, q: q}); err != nil {
		return 0, 0, err
	}
	ready, _, consumers = q.Counts()
	return ready, consumers, nil
}

// sweeper is the goroutine that deletes queues which nobody uses: the owners find
// them but must not wait.
type sweeper struct {
	mu     sync.Mutex
	some   sync.Cond
	queues []*Queue // each once
	closed bool
	ended  chan struct{}
}

func (s *sweeper) open() {
	s.some.L = &s.mu
	s.ended = make(chan struct{})
}

func (s *sweeper) add(q *Queue) {
	s.mu.Lock()
	s.queues = append(s.queues, q)
	s.mu.Unlock()
	s.some.Signal()
}

// close ends the sweeper after the queue in hand and waits for it.
func (s *sweeper) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.some.Signal()
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sweeper) next() *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queues) == 0 && !s.closed {
		s.some.Wait()
	}
	if s.closed {
		return nil
	}
	q := s.queues[0]
	s.queues[0] = nil
	s.queues = s.queues[1:]
	return q
}

// sweep deletes what the owners ask for. Whether a queue is still idle is for its
// owner to say, which asks again after a failure.
func (c *Core) sweep() {
	defer close(c.sweeper.ended)
	for q := c.sweeper.next(); q != nil; q = c.sweeper.next() {
		r := request{kind: reqFreeze, q: q, idle: true}
		_, err := q.namespace.deleteQueue(context.Background(), r)
		kind := fault.KindOf(err)
		if err != nil && kind != fault.NotFound && kind != fault.Conflict &&
			!errors.Is(err, ErrMoved) {
			c.cfg.Logger.Error("idle queue cannot be deleted", "err", err)
		}
	}
}
