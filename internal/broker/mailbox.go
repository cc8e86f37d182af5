package broker

import (
	"sync"
	"time"
)

// requestKind says what the owner of a shard is asked for.
type requestKind uint8

const (
	reqPublish requestKind = iota + 1
	reqSettle
	reqReturn
	reqRecalled
	reqAuto
	reqConsume
	reqConsumers
	reqAbandon
	reqCancel
	reqCredit
	reqDrain
	reqLimit
	reqGet
	reqSync
	reqClose
	reqPurge
	reqFreeze
	reqThaw
	reqDrop
	reqDrained
	reqRead
	reqLock
	reqForget
	reqLimits
	reqReceive
	reqWithdraw
	reqLeases
	reqCommit
	reqArrive
	reqMove
	reqMoveEnd
	reqTaken
	reqTick
	reqUse
	reqMayLeave
	reqLeave
	reqBring
	reqErase
	reqWatch
	reqRewrite
	reqCensus
	reqAside
	reqStop
)

// request is one entry of a mailbox. Fields not needed by its kind are zero.
type request struct {
	kind  requestKind
	flag  bool   // Get: settle automatically; Freeze: if unused; Aside: end it
	empty bool   // Freeze: if empty
	idle  bool   // Freeze: if idle for too long
	n     int    // publishings, settlements, credit, limit
	tag   uint64 // Sync, Commit: the caller's; Return: outbox.fresh
	// Commit: settlements; n is publishings.
	settles  int
	prepared int      // of them, the publishings whose parts are written
	fans     []fan    // of those with something apart; nil: none
	arrival  *arrival // of parcels
	courier  *courier // Taken: n of its parcels from tag on
	parts    []carried
	move     *Move
	s        *Session
	q        *Queue
	c        *Consumer
	limit    *Limit
	ns       *Namespace
	read     *readJob
	ids      []queueID
	// Forget: the namespace that is gone, whether it was open or not.
	namespace NamespaceID
	limits    *Limits
	receive   *receiver
	leases    *leaseLetter
	bringing  *bringing
	rows      []brought  // Rewrite
	census    *census    // Census; nil ends one
	reply     chan reply // with room for one; nil when nothing waits
}

// reply answers a request.
type reply struct {
	delivery Delivery
	count    int
	ok       bool
	unused   bool     // the queue lost its last consumer and goes with it
	queues   []*Queue // the same, of a closed session
	list     []ConsumerInfo
	err      error

	deliveries []Delivery // of a receive
}

// publishing is a Publishing in a mailbox; its targets stand beside.
type publishing struct {
	msg     Message
	tag     uint64
	confirm bool
	targets int
}

// letters is what lies in a mailbox: requests in order, and in the same order
// the publishings, targets and settlements that they count.
type letters struct {
	requests []request
	pubs     []publishing
	targets  []*Queue
	settles  []Settlement
	since    time.Time // the first of pubs came
}

func (l *letters) reset() {
	clear(l.requests)
	clear(l.pubs)
	clear(l.targets)
	if cap(l.pubs) > keepLetters || cap(l.settles) > keepLetters {
		*l = letters{} // a burst must not keep its memory
		return
	}
	l.requests, l.pubs = l.requests[:0], l.pubs[:0]
	l.targets, l.settles = l.targets[:0], l.settles[:0]
}

func (l *letters) publish(pubs []Publishing) {
	if len(l.pubs) == 0 {
		l.since = time.Now()
	}
	for i := range pubs {
		p := &pubs[i]
		l.pubs = append(l.pubs, publishing{p.Message, p.Tag, p.Confirm, len(p.Targets)})
		l.targets = append(l.targets, p.Targets...)
	}
}

const keepLetters = 1 << 15

// mailbox is how others talk to the owner of a shard. Sessions wait while it is
// full; urgent letters, whose number is bounded by those who send them, do not.
type mailbox struct {
	wake chan struct{} // with room for one
	max  int

	mu     sync.Mutex
	room   sync.Cond
	in     letters
	swift  letters // of who has nothing in in: they may overtake it
	hurry  []request
	done   []*batch
	closed error
	ended  bool // the owner did; nobody reads any more
}

func (m *mailbox) open(max int) {
	m.wake = make(chan struct{}, 1)
	m.max = max
	m.room.L = &m.mu
}

func (m *mailbox) notify() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// enter puts r among the letters that it goes with, once they have room. The caller holds
// mu.
func (m *mailbox) enter(r request) (*letters, error) {
	l := &m.in
	if r.swift() && r.s.queued.Load() == 0 {
		l = &m.swift
	}
	for m.closed == nil && (len(l.requests) >= m.max || len(l.settles) >= m.max) {
		m.room.Wait()
	}
	if m.closed == nil {
		if l == &m.in && r.s != nil {
			r.s.queued.Add(1)
		}
		l.requests = append(l.requests, r)
	}
	return l, m.closed
}

// swift reports whether r may overtake what others publish: consumers wait for it.
func (r *request) swift() bool {
	switch r.kind {
	case reqSettle, reqAuto, reqCredit, reqReturn, reqRecalled:
		return true
	}
	return false
}

func (m *mailbox) post(r request) error {
	m.mu.Lock()
	_, err := m.enter(r)
	m.mu.Unlock()
	m.notify()
	return err
}

func (m *mailbox) publish(s *Session, pubs []Publishing) error {
	m.mu.Lock()
	l, err := m.enter(request{kind: reqPublish, s: s, n: len(pubs)})
	if err == nil {
		l.publish(pubs)
	}
	m.mu.Unlock()
	m.notify()
	return err
}

func (m *mailbox) settle(s *Session, list []Settlement) {
	m.mu.Lock()
	if l, err := m.enter(request{kind: reqSettle, s: s, n: len(list)}); err == nil {
		l.settles = append(l.settles, list...)
	}
	m.mu.Unlock()
	m.notify()
}

func (m *mailbox) commit(s *Session, t *Transaction, tag uint64) error {
	m.mu.Lock()
	r := request{kind: reqCommit, s: s, n: len(t.Publishings), tag: tag}
	r.settles = len(t.Settlements)
	l, err := m.enter(r)
	if err == nil {
		l.publish(t.Publishings)
		l.settles = append(l.settles, t.Settlements...)
	}
	m.mu.Unlock()
	m.notify()
	return err
}

// giveBack posts a request about deliveries that go back.
func (m *mailbox) giveBack(r request, refs []DeliveryRef) {
	r.n = len(refs)
	m.mu.Lock()
	if l, err := m.enter(r); err == nil {
		for _, ref := range refs {
			l.settles = append(l.settles, Settlement{Ref: ref, Outcome: giveBack})
		}
	}
	m.mu.Unlock()
	m.notify()
}

// urgent posts without waiting, for goroutines that must not wait.
func (m *mailbox) urgent(r request) {
	m.mu.Lock()
	if !m.ended {
		m.hurry = append(m.hurry, r)
	}
	m.mu.Unlock()
	m.notify()
}

// finish reports that a batch is durable or failed.
func (m *mailbox) finish(b *batch) {
	m.mu.Lock()
	m.done = append(m.done, b)
	m.mu.Unlock()
	m.notify()
}

// signals takes the finished batches and the urgent letters.
func (m *mailbox) signals(done []*batch, hurry []request) ([]*batch, []request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, m.done = append(done, m.done...), m.done[:0]
	hurry = append(hurry, m.hurry...)
	clear(m.hurry)
	m.hurry = m.hurry[:0]
	return done, hurry
}

// length is the number of requests that wait.
func (m *mailbox) length() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.in.requests) + len(m.swift.requests) + len(m.hurry))
}

// swap exchanges what was worked off for what has come, and reports whether something has.
// What is in in may come behind something in swift, so both are taken at once.
func (m *mailbox) swap(swift, in *hand) (some bool) {
	m.mu.Lock()
	if swift.empty() {
		some = swift.swap(&m.swift)
		if in.empty() {
			some = in.swap(&m.in) || some
		}
	}
	m.mu.Unlock()
	if some {
		m.room.Broadcast()
	}
	return some
}

func (h *hand) swap(l *letters) (some bool) {
	h.letters.reset()
	h.letters, *l = *l, h.letters
	h.at = cursor{}
	return len(h.requests) > 0
}

// close fails those who post from now on.
func (m *mailbox) close(err error) {
	m.mu.Lock()
	if m.closed == nil {
		m.closed = err
	}
	m.mu.Unlock()
	m.room.Broadcast()
	m.notify()
}

// end drops what comes from now on: the owner has left.
func (m *mailbox) end() {
	m.mu.Lock()
	m.ended, m.hurry = true, nil
	m.mu.Unlock()
}
