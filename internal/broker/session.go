package broker

import (
	"context"
	"sync"
	"sync/atomic"

	"coffer/internal/fault"
)

// SessionConfig tunes a Session; zero fields get the default named.
type SessionConfig struct {
	// Actor is who it is; nil: what it does is on no record.
	Actor *Actor

	// Wake is called when Next has something after it had nothing. It runs on
	// the owner's or the store's goroutine: it must not block nor call the broker.
	// Default: none.
	Wake func()

	PublishCount int // publishings not yet durable, at which Publish waits; 4096
	PublishBytes int // the same in bytes; 16 MiB
	OutboxCount  int // deliveries on their way to Next, at which no more are assigned; 4096
	OutboxBytes  int // the same in bytes; 2 MiB
	MaxUnsettled int // deliveries neither settled nor returned; 262144
}

// Session is one connection at the owner of one namespace. Its methods may be
// called by several goroutines; calls of one goroutine take effect in order.
type Session struct {
	namespace *Namespace
	shard     *shard
	cfg       SessionConfig
	window    window // publishings on their way to the store
	outbox    outbox
	closed    atomic.Bool
	queued    atomic.Int32 // letters that the owner has not worked off, but for the swift ones
	exclusive []*Queue     // declared by it; guarded by Namespace.mu

	autoMu    sync.Mutex
	auto      []DeliveryRef // opened, to be accepted by the owner
	autoSpare []DeliveryRef

	state sessionState // touched by the shard's owner only
}

// Publishing is one message and the queues it goes to, as Route gave them.
type Publishing struct {
	Message Message
	Targets []*Queue // of the session's namespace; copied
	Tag     uint64   // given back in the Published event
	Confirm bool     // whether there is one
}

// ConsumerSpec says how deliveries are pushed.
type ConsumerSpec struct {
	Queue      *Queue
	Ref        uint64 // given back in every Delivery
	Credit     int    // deliveries that may be pushed; negative: unlimited
	Replenish  bool   // a settlement gives one credit back
	AutoSettle bool   // OpenDelivery settles
	Exclusive  bool   // no other consumer at the queue
	Shared     *Limit // a further limit, shared with others; may be nil
	// Priority: while a consumer with a higher one can take deliveries, those with
	// lower ones get none. Equal ones take turns.
	Priority int32
	// Match says whether the consumer wants a message; nil: all. It is called on the
	// shard's owner, once per message while that waits: it must be quick, must not
	// block, keep its argument or call the broker, but for Namespace.OpenDelivery.
	// It is not called while the domain is locked; what it says when it cannot open
	// a message because of a lock does not count. The argument has no Ref. A panic
	// ends the consumer with an error; a queue with AutoDelete stays then.
	// A message that no consumer wants keeps its place, and MaxParked behind the
	// head of the queue are looked at.
	Match func(*Delivery) bool
	// Activation wants an Activated event when the consumer becomes active, which
	// without QueueSpec.SingleActive is at once.
	Activation bool
}

// Consumer is a session's wish to be pushed messages of a queue.
type Consumer struct {
	spec    ConsumerSpec
	session *Session
	active  atomic.Bool   // stored by the shard's owner
	state   consumerState // touched by the shard's owner only
}

// Ref is ConsumerSpec.Ref.
func (c *Consumer) Ref() uint64 { return c.spec.Ref }

// Queue is ConsumerSpec.Queue.
func (c *Consumer) Queue() *Queue { return c.spec.Queue }

// Active reports whether the consumer may get deliveries: of those of a queue with
// SingleActive one may, of others all.
func (c *Consumer) Active() bool { return c.active.Load() }

// Limit bounds the unsettled deliveries of the consumers of one session that
// share it.
type Limit struct {
	max, used int         // touched by the shard's owner only
	consumers []*Consumer // the same
}

// NewLimit makes a limit of max unsettled deliveries; 0 or less: none.
func NewLimit(max int) *Limit { return &Limit{max: max} }

// NewSession begins a session. Close it.
func (n *Namespace) NewSession(cfg SessionConfig) *Session {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&cfg.PublishCount, 4096)
	set(&cfg.PublishBytes, 16<<20)
	set(&cfg.OutboxCount, 4096)
	set(&cfg.OutboxBytes, 2<<20)
	set(&cfg.MaxUnsettled, 1<<18)
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	s := &Session{namespace: n, shard: n.shard, cfg: cfg}
	s.window.open(int64(cfg.PublishCount), int64(cfg.PublishBytes), &n.shard.counters.waiting)
	s.outbox.wake, s.outbox.total = cfg.Wake, &n.shard.outBytes
	s.outbox.maxCount, s.outbox.maxBytes = int64(cfg.OutboxCount), int64(cfg.OutboxBytes)
	s.outbox.maxTotal = n.core.cfg.OutboxBytes
	return s
}

// Namespace is where the session is.
func (s *Session) Namespace() *Namespace { return s.namespace }

// Publish takes the messages over; pubs itself stays the caller's. It waits
// while the session's or the shard's window is full, so it slows a publisher
// down. An error means that the session was closed, the shard failed or ctx
// ended: what was not taken over then gets no event.
func (s *Session) Publish(ctx context.Context, pubs []Publishing) error {
	for len(pubs) > 0 {
		n, err := s.admit(ctx, pubs)
		if err != nil {
			return err
		}
		if err := s.shard.mail.publish(s, pubs[:n]); err != nil {
			return err
		}
		pubs = pubs[n:]
	}
	return nil
}

// admit waits for room and gives the number of publishings that have it.
func (s *Session) admit(ctx context.Context, pubs []Publishing) (int, error) {
	n, bytes, err := s.window.acquire(ctx, pubs)
	if err != nil {
		return 0, err
	}
	m, taken, err := s.shard.publishing.acquire(ctx, pubs[:n])
	if m < n {
		s.window.release(int64(n-m), bytes-taken)
	}
	return m, err
}

// Consume begins a consumer. Deliveries may come before it returns: a door that
// must say something first begins without credit and adds it afterwards.
// Errors: fault.NotFound when the queue is gone; fault.Denied with ErrExclusive, also
// for an exclusive one where the queue has a single active consumer; fault.Conflict
// with ErrLocked.
func (s *Session) Consume(ctx context.Context, spec ConsumerSpec) (*Consumer, error) {
	c := &Consumer{spec: spec, session: s}
	_, err := s.ask(ctx, request{kind: reqConsume, q: spec.Queue, c: c})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AddCredit lets n more deliveries be pushed; a negative n takes credit away,
// down to none. It has no effect on a consumer without a limit.
func (s *Session) AddCredit(c *Consumer, n int) {
	s.tell(request{kind: reqCredit, c: c, n: n})
}

// SetLimit changes a shared limit; 0 or less: none.
func (s *Session) SetLimit(l *Limit, max int) {
	s.tell(request{kind: reqLimit, limit: l, n: max})
}

// Cancel ends a consumer. When it returns, no more of its deliveries enter the
// outbox, and a queue that goes with its last consumer is gone. What it holds
// stays in flight. It does not end with ctx: a queue would stay behind.
func (s *Session) Cancel(ctx context.Context, c *Consumer) error {
	return s.end(ctx, request{kind: reqCancel, c: c})
}

// end ends a consumer, and the queue that goes with it.
func (s *Session) end(ctx context.Context, r request) error {
	ctx = context.WithoutCancel(ctx)
	a, err := s.ask(ctx, r)
	if err == nil && a.unused {
		err = s.namespace.deleteUnused(ctx, r.c.spec.Queue)
	}
	return err
}

// Abandon is Cancel for a consumer whose deliveries go back with it: all that it
// holds is released before another consumer may follow it, so that this one gets all
// in order. What was on its way to Next still comes and cannot be settled: it is not
// the session's any more. Not for a consumer with AutoSettle.
func (s *Session) Abandon(ctx context.Context, c *Consumer) error {
	return s.end(ctx, request{kind: reqAbandon, c: c})
}

// Settle ends deliveries; list stays the caller's. References that are not in
// flight are ignored. It takes effect after earlier calls of this session, and
// nothing answers: what Sync tells is durable includes it.
func (s *Session) Settle(list []Settlement) {
	if len(list) > 0 {
		s.shard.mail.settle(s, list)
	}
}

// Return gives deliveries back that could not be opened: they take their places
// as if they had never been assigned, and credit comes back. What Next has not
// given yet goes back as well, and comes again behind them; what it has given
// and would overtake them belongs into the same call.
func (s *Session) Return(refs []DeliveryRef) {
	if len(refs) > 0 {
		fresh := s.outbox.recall()
		s.shard.mail.giveBack(request{kind: reqReturn, s: s, tag: fresh}, refs)
	}
}

// Get takes the first ready message of a queue, if there is one, and says how
// many remain. With autoSettle, OpenDelivery settles it. Errors: fault.NotFound
// when the queue is gone; fault.Conflict with ErrLocked; fault.Exhausted at
// MaxUnsettled; the domain's reason while it is locked.
func (s *Session) Get(ctx context.Context, q *Queue, autoSettle bool) (
	d Delivery, remaining int, ok bool, err error,
) {
	r, err := s.ask(ctx, request{kind: reqGet, q: q, flag: autoSettle})
	return r.delivery, r.count, r.ok && err == nil, err
}

// Sync makes a Synced event with this tag come when everything the session
// asked for before is durable. Deliveries that this causes, from queues that are
// in memory, come before it.
func (s *Session) Sync(tag uint64) { s.tell(request{kind: reqSync, tag: tag}) }

// Next moves events from the outbox to dst, at most cap(dst)-len(dst) of them
// (at least one, if there is one), and never waits. After Wake, call it until it
// gives nothing. Deliveries are held back while the domain is locked.
func (s *Session) Next(dst []Event) []Event {
	for at := len(dst); ; {
		var drained, stale bool
		dst, drained, stale = s.outbox.take(dst)
		if drained {
			s.shard.mail.urgent(request{kind: reqDrained, s: s})
		}
		if len(dst) == at || !stale && s.namespace.domain.Locked() == nil {
			return dst
		}
		if dst = s.divert(dst, at, stale); len(dst) > at {
			return dst
		}
	}
}

// divert gives the deliveries in list[at:] back to their queues. If they are
// stale, a Return that came before asked for it.
func (s *Session) divert(list []Event, at int, stale bool) []Event {
	keep := list[:at]
	var refs []DeliveryRef
	for _, e := range list[at:] {
		if e.Kind == Delivered {
			refs = append(refs, e.Delivery.Ref)
		} else {
			keep = append(keep, e)
		}
	}
	clear(list[len(keep):])
	if stale {
		s.shard.mail.giveBack(request{kind: reqRecalled, s: s}, refs)
	} else {
		s.Return(refs)
	}
	return keep
}

// Close ends the session: consumers end, unsettled messages go back to their
// places, marked redelivered, exclusive queues are deleted. It returns when
// that is durable, and like Cancel does not end with ctx. Closing twice is no
// error.
func (s *Session) Close(ctx context.Context) error {
	if s.closed.Swap(true) {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	s.window.close(closedError())
	r, err := s.ask(ctx, request{kind: reqClose})
	if err != nil {
		return err
	}
	s.namespace.mu.Lock()
	queues := append(r.queues, s.exclusive...)
	s.exclusive = nil
	s.namespace.mu.Unlock()
	for _, q := range queues {
		if e := s.namespace.deleteUnused(ctx, q); e != nil && err == nil {
			err = e
		}
	}
	return err
}

// autoSettle accepts a delivery that was opened. The owner is told once for all
// that gather until it looks.
func (s *Session) autoSettle(ref DeliveryRef) {
	s.autoMu.Lock()
	s.auto = append(s.auto, ref)
	first := len(s.auto) == 1
	s.autoMu.Unlock()
	if first {
		s.tell(request{kind: reqAuto})
	}
}

func (s *Session) tell(r request) {
	r.s = s
	s.shard.mail.post(r) // a failed shard has nothing to say to it
}

func (s *Session) ask(ctx context.Context, r request) (reply, error) {
	if s.closed.Load() && r.kind != reqClose {
		return reply{}, closedError()
	}
	r.s = s
	return s.shard.ask(ctx, r)
}

func closedError() error {
	return fault.Wrap(fault.Unavailable, ErrClosed, "The connection is closing.")
}
