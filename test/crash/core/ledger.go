// Package core loads the queue core through its own interface, over the engine
// of a single machine in a process of its own, kills that at any moment, starts
// it again on the same directory, drains it, and holds what came back against
// what the load had been told. It goes where no protocol leads yet: leases,
// delays, limits, dead letters, groups, deduplication, transactions.
//
// The ledger and its rules are the checker; ledger_test.go shows each rule find
// what it is for. It sees only what a caller of the core sees: every record is
// written to a pipe before something is asked for, and after it was answered.
// What was asked and not answered may have happened or not.
//
// A kill keeps what the kernel has. disk_test.go plays the same load on a disk in
// memory, which loses power or fails at any of its changes.
package core

import (
	"fmt"
	"slices"
)

// maxFindings bounds what is reported of one round.
const maxFindings = 12

// anyNumber is more than any number of messages.
const anyNumber = 1 << 40

// Ledger is what the records of a round tell.
type Ledger struct {
	plan     *Plan
	life     int // grows with every kill
	base     int // records of earlier lives
	at       int // number of the present record, over all lives
	now      int64
	queues   map[string]*queue
	messages map[ID]*message
	sent     []ID // in the order of sending
	txs      map[int]*transaction
	asks     map[int]*ask
	locked   int64 // milliseconds that the domain was locked, at most
	since    int64 // when it was locked; 0: it is open

	confirmed, got int
	findings       []string
}

// queue is what is known of one queue.
type queue struct {
	*Queue
	trails  map[ID]*trail
	readers map[int]map[line]ID     // the last of each line that a taker got
	groups  map[string][]ID         // of a queue with groups, in the order of sending
	dedup   map[string]ID           // the one that is there
	exposed int                     // messages that may have been taken, unseen
	left    bool                    // a taker ended and others went on
	purges  []purge                 // in order
	holders map[int]map[ID]struct{} // what takers have
}

// line is what keeps its order.
type line struct {
	publisher uint32
	priority  uint8
}

type purge struct{ asked, done int } // numbers of records; done 0: not known

// ask is a wish for messages.
type ask struct {
	queue string
	at    int64
	n     int
}

type verdict uint8

const (
	unknown verdict = iota
	confirmed
	refused
	repeated
)

// message is one publish.
type message struct {
	Facts
	verdict verdict
	life    int
	asked   int // number of the Sending record
	told    int // number of the record with the verdict
	askedAt int64
	toldAt  int64 // the latest time at which it came to its queues
}

type state uint8

const (
	free      state = iota // in the queue, as far as known
	held                   // with a taker
	accepting              // asked for, not answered
	rejecting
	releasing
	unsure // a kill came before the answer, or a lease may have ended
	gone   // accepted or rejected for certain
	dead   // seen where dead letters go
)

// trail is one message in one queue.
type trail struct {
	state    state
	since    int // number of the record that brought the state
	life     int
	taker    int
	leased   bool
	lease    int64 // it does not end before
	wish     int64 // end that was asked for
	seen     int   // times it was got
	answered int   // times that it surely came back
	asked    int   // times that it may have come back
	accepts  int   // asked for
	rejects  int   // asked for
	drained  bool
	counts   []int // with which it came, where it is leased
	top      int   // number of the record with the highest one
}

// transaction is what one commit holds.
type transaction struct {
	queue   string
	takes   []ID
	puts    []ID
	verdict verdict
}

// NewLedger begins a round.
func NewLedger(p *Plan) *Ledger {
	l := &Ledger{
		plan: p, queues: map[string]*queue{}, messages: map[ID]*message{},
		txs: map[int]*transaction{}, asks: map[int]*ask{},
	}
	for _, q := range p.Queues {
		l.queues[q.Name] = &queue{
			Queue: q, trails: map[ID]*trail{}, readers: map[int]map[line]ID{},
			groups: map[string][]ID{}, dedup: map[string]ID{}, holders: map[int]map[ID]struct{}{},
		}
	}
	return l
}

func (l *Ledger) find(format string, args ...any) {
	if len(l.findings) < maxFindings {
		l.findings = append(l.findings, fmt.Sprintf(format, args...))
	}
}

func (q *queue) trail(id ID) *trail {
	t := q.trails[id]
	if t == nil {
		t = &trail{}
		q.trails[id] = t
	}
	return t
}

// Apply takes a record over.
func (l *Ledger) Apply(r *Record) {
	l.at++
	l.now = r.At
	if r.Taker != 0 {
		r.Taker += l.life << 24
	}
	q := l.queues[r.Queue]
	switch r.Kind {
	case Sending:
		l.sending(r)
	case Confirmed, Refused, Repeated:
		l.told(r)
	case Asking:
		l.asks[l.at] = &ask{r.Queue, r.At, r.N}
	case Answered:
		delete(l.asks, l.base+r.Asked)
	case Unopened:
		q.exposed += r.N
	case Got:
		l.take(q, r)
	case Accepting, Rejecting, Releasing, Settled, Released, Unsettled:
		for _, id := range r.IDs {
			l.settle(q, id, r.Kind, r.Taker)
		}
	case Extending, Extended:
		for _, id := range r.IDs {
			l.extend(q.trail(id), r)
		}
	case Leaving, Left:
		l.leave(q, r)
	case Committing, Committed, Aborted:
		l.commit(r)
	case Purging:
		q.purges = append(q.purges, purge{asked: l.at})
	case Purged:
		q.purges[len(q.purges)-1].done = l.at
	case Locking, Unlocked, Opened:
		l.turn(r.Kind)
	case Found:
		l.find("%s", r.Text)
	}
}

func (l *Ledger) sending(r *Record) {
	l.messages[r.ID] = &message{Facts: r.Facts, life: l.life, asked: l.at, askedAt: r.At}
	l.sent = append(l.sent, r.ID)
	for _, name := range r.To {
		if q := l.queues[name]; q.Spec.Groups {
			q.groups[r.Group] = append(q.groups[r.Group], r.ID)
		}
	}
	if r.Tx != 0 {
		l.tx(r.Tx).puts = append(l.tx(r.Tx).puts, r.ID)
	}
}

func (l *Ledger) told(r *Record) {
	for _, id := range r.IDs {
		m := l.messages[id]
		switch {
		case m == nil:
			l.find("%v was told of, but not sent", id)
			continue
		case m.verdict != unknown:
			l.find("%v was told of twice", id)
			continue
		}
		m.told, m.toldAt = l.at, r.At
		switch r.Kind {
		case Confirmed:
			m.verdict = confirmed
			l.confirmed++
		case Refused:
			m.verdict = refused
		case Repeated:
			m.verdict = repeated
		}
	}
}

// settle notes what becomes of a message that a taker has, or had: a lease may
// have ended, and another may have it by now.
func (l *Ledger) settle(q *queue, id ID, k Kind, taker int) {
	t := q.trail(id)
	if k == Released {
		t.answered++
		if t.taker == taker && t.state == releasing {
			t.state, t.since = free, l.at
		}
		return
	}
	if t.taker != taker {
		if k == Settled {
			l.find("%s: %d settled %v, which %d has got since", q.Name, taker, id, t.taker)
		}
		return
	}
	t.since, t.life = l.at, l.life
	switch k {
	case Accepting:
		t.state = accepting
		t.accepts++
	case Rejecting:
		t.state = rejecting
		t.rejects++
	case Releasing:
		t.state, t.lease = releasing, 0
		t.asked++
	case Settled:
		t.state = gone
	case Unsettled:
		t.state = unsure
	}
	delete(q.holders[taker], id)
}

// extend notes a new end of a lease. As long as it is not answered, the earlier
// of the old and the new end may count.
func (l *Ledger) extend(t *trail, r *Record) {
	if t.taker != r.Taker {
		return
	}
	if r.Kind == Extended {
		t.lease = t.wish
		return
	}
	t.wish = r.At + r.Span
	t.lease = min(t.lease, t.wish)
}

// leave notes that a taker gives back what it has.
func (l *Ledger) leave(q *queue, r *Record) {
	if r.Kind == Left {
		for id, t := range q.trails {
			if t.taker == r.Taker && t.life == l.life && t.state == releasing {
				l.settle(q, id, Released, r.Taker)
			}
		}
		return
	}
	for id := range q.holders[r.Taker] {
		l.settle(q, id, Releasing, r.Taker)
	}
	q.left = true
	if a := l.asks[l.base+r.Asked]; a != nil {
		q.exposed += a.n
		delete(l.asks, l.base+r.Asked)
	}
}

func (l *Ledger) tx(n int) *transaction {
	if l.txs[n] == nil {
		l.txs[n] = &transaction{}
	}
	return l.txs[n]
}

func (l *Ledger) commit(r *Record) {
	x := l.tx(r.Tx)
	q := l.queues[x.queue]
	switch r.Kind {
	case Committing:
		x.queue, x.takes = r.Queue, r.IDs
		for _, id := range r.IDs {
			l.settle(l.queues[r.Queue], id, Accepting, r.Taker)
		}
	case Committed:
		x.verdict = confirmed
		for _, id := range x.takes {
			l.settle(q, id, Settled, r.Taker)
		}
		l.told(&Record{Kind: Confirmed, At: r.At, IDs: x.puts})
	case Aborted:
		x.verdict = refused
		for _, id := range x.takes {
			t := q.trail(id)
			t.state, t.since = held, l.at
		}
		l.told(&Record{Kind: Refused, At: r.At, IDs: x.puts})
	}
}

// turn counts the time that the domain was locked, as much as it can be.
func (l *Ledger) turn(k Kind) {
	switch {
	case k == Locking && l.since == 0:
		l.since = l.now
	case k != Locking && l.since != 0:
		l.locked += l.now - l.since + 1
		l.since = 0
	}
}

// Killed notes that the process ended: what was asked is not answered any more,
// and what takers had without a lease is free again.
func (l *Ledger) Killed(at int64) {
	l.at++
	l.now = at
	for _, a := range l.asks {
		l.queues[a.queue].exposed += a.n
	}
	l.asks = map[int]*ask{}
	for _, q := range l.queues {
		for _, t := range q.trails {
			l.survive(t)
		}
		q.holders = map[int]map[ID]struct{}{}
	}
	for _, m := range l.messages {
		if m.toldAt == 0 {
			m.toldAt = at
		}
	}
	l.life++
	l.base = l.at
}

func (l *Ledger) survive(t *trail) {
	if t.state == held || t.state == free || t.state == releasing {
		t.drained = false
	}
	switch t.state {
	case held:
		if !t.leased {
			t.state, t.since = free, l.at
		}
	case releasing:
		if t.state, t.since = free, l.at; t.leased {
			t.state = unsure
		}
	case accepting, rejecting:
		t.state, t.since = unsure, l.at
	}
}

// Findings gives what was found so far.
func (l *Ledger) Findings() []string { return slices.Clone(l.findings) }
