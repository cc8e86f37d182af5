package broker

import (
	"context"
	"sync"
	"sync/atomic"

	"coffer/internal/fault"
)

// MoveSpec says which messages to move.
type MoveSpec struct {
	From *Queue
	To   *Queue // of any namespace with the same domain
	Max  int64  // messages; 0: until none is ready
	Rate int    // messages a second; 0: as fast as it goes
	// Home, instead of To, gives the queue for each message by what it died of, nil if
	// nothing: one of a namespace with the same domain, and not From. An error ends the
	// move. It is called on the shard's owner: it must be quick, must not block, keep its
	// argument or call the broker.
	Home func(*History) (*Queue, error)
	// Fresh makes new messages of them: without history, published now.
	Fresh bool
}

// Move is a move of messages that goes on by itself. It is safe for concurrent use.
type Move struct {
	spec  MoveSpec
	moved atomic.Int64
	done  chan struct{}
	once  sync.Once
	stop  func() bool // listening to the context
	err   error       // set before done is closed

	// All below is the owner's of the source.
	taken int64  // messages so far
	due   int64  // shard time of the next one, in microseconds
	next  *Queue // where the next one goes, if it had to wait
	ended bool
}

// Moved is the number of messages that are durably out of the source, as far as they
// were durable, and in the target or on their way to it.
func (m *Move) Moved() int64 { return m.moved.Load() }

// Done is closed when the move has ended and Moved does not change any more.
func (m *Move) Done() <-chan struct{} { return m.done }

// Err is nil until Done, and when the move came to its end: Max, or nothing was ready.
// Else it is context.Canceled of Cancel; fault.NotFound when a queue is gone;
// fault.Exhausted when the target is full; what Home said; or why the store or the source
// failed.
func (m *Move) Err() error {
	select {
	case <-m.done:
		return m.err
	default:
		return nil
	}
}

// Cancel ends the move; what is moved stays where it is.
func (m *Move) Cancel() {
	m.spec.From.namespace.shard.mail.urgent(request{kind: reqMoveEnd, move: m})
}

// MoveMessages begins to move the ready messages of a queue of n, from its head to the
// end of the target: not those in flight, under leases or delayed. Each is in one of
// the queues at any time, or between two shards on its way, whatever happens; but the
// move itself ends with the process, and who wants more begins again.
//
// A message keeps id, body and, but for Fresh, history, time of publishing and time of
// expiry, unless that of the target is earlier; it counts no releases. Consumers and
// receives of the source have their turn first. A full target that refuses ends the move,
// but across shards it does not refuse; quotas do not count. While the domain is locked
// or too many messages are on their way between shards, the move waits. When ctx ends, so
// does the move. Errors: fault.Invalid; fault.NotFound when a queue is gone.
func (n *Namespace) MoveMessages(ctx context.Context, spec MoveSpec) (*Move, error) {
	switch {
	case spec.From == nil || (spec.To == nil) == (spec.Home == nil) ||
		spec.From.namespace != n || spec.From == spec.To || spec.Max < 0 || spec.Rate < 0:
		return nil, fault.New(fault.Invalid, "move of %d messages, %d a second, that is none",
			spec.Max, spec.Rate)
	case spec.From.owner != nil || spec.To != nil && spec.To.owner != nil:
		return nil, queueLocked(spec.From)
	}
	if spec.To != nil {
		if err := sameDomain(n, spec.To.namespace); err != nil {
			return nil, err
		}
	}
	m := &Move{spec: spec, done: make(chan struct{}), next: spec.To}
	m.stop = context.AfterFunc(ctx, m.Cancel)
	_, err := n.shard.ask(context.WithoutCancel(ctx), request{kind: reqMove, move: m})
	if err != nil {
		m.finish(err)
		return nil, err
	}
	return m, nil
}

// finish tells the caller.
func (m *Move) finish(err error) {
	m.once.Do(func() {
		m.err = err
		close(m.done)
		m.stop()
	})
}

// progress is said when a slice is durable.
type progress struct {
	move  *Move
	moved int64
	ended bool
	err   error
}

func (p *progress) say(err error) {
	if err != nil {
		p.move.finish(err)
		return
	}
	p.move.moved.Add(p.moved)
	if p.ended {
		p.move.finish(p.err)
	}
}

// beginMove takes a move over.
func (sh *shard) beginMove(r *request) {
	m := r.move
	st := &m.spec.From.state
	if st.gone || st.frozen {
		r.reply <- reply{err: queueGone(m.spec.From)}
		return
	}
	if m.ended { // cancelled before it was here
		r.reply <- reply{}
		return
	}
	m.due = sh.time * 1000
	sh.use(m.spec.From)
	st.moves = append(st.moves, m)
	sh.moves[m] = struct{}{}
	sh.touch(m.spec.From)
	r.reply <- reply{}
}

// endMove takes a move off its queue, and tells so when all of it is durable.
func (sh *shard) endMove(m *Move, moved int64, err error) {
	if m.ended {
		return
	}
	m.ended = true
	st := &m.spec.From.state
	for i, x := range st.moves {
		if x == m {
			st.moves = append(st.moves[:i:i], st.moves[i+1:]...)
			break
		}
	}
	delete(sh.moves, m)
	sh.use(m.spec.From)
	sh.say(true, release{progress: &progress{m, moved, true, err}})
}

// endMoves ends the moves from q.
func (sh *shard) endMoves(q *Queue, err error) {
	for len(q.state.moves) > 0 {
		sh.endMove(q.state.moves[0], 0, err)
	}
}

// abandonMoves ends all moves: the shard has no future.
func (sh *shard) abandonMoves(err error) {
	for m := range sh.moves {
		m.finish(err)
	}
}
