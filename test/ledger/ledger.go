// Package ledger holds what clients of a broker did and were told, and the rules
// that this must obey, over any number of kills. It is the loss checker of the
// tests that load a whole process.
//
// It guarantees to report:
// a confirmed persistent message that is gone; one that comes back after its
// settlement was certain, twice in one life, after it was refused, or damaged;
// a transient message that outlives a kill; a redelivered mark that is missing
// or that nothing explains; an order other than the publisher's; queues of one
// fan-out that differ; a publisher's messages of which a later one survived
// and an earlier one did not.
//
// It sees only what clients see. A basic.ack has no answer, so a settlement
// counts as certain when on the same channel a queue.declare was answered
// after it and a persistent publish confirmed after that.
package ledger

import (
	"fmt"
	"sync"
)

// Use says who reads a queue under load.
type Use uint8

// Cold queues are read only when they are drained; Shared ones by consumers
// that settle; Auto ones by a consumer that does not.
const (
	Cold Use = iota
	Shared
	Auto
)

// maxFindings bounds what is reported of one round.
const maxFindings = 12

// Ledger holds what clients did and were told. It is for many goroutines.
type Ledger struct {
	mu         sync.Mutex
	life       int  // grows with every kill
	stopping   bool // readers may lose what they hold before they know
	queues     map[string]*queue
	publishers []*publisher
	confirmed  int
	findings   []string
}

// queue is what is known of one queue.
type queue struct {
	name    string
	use     Use
	durable bool
	fanout  string // the exchange, of a cold queue that gets all of it
	reading int    // deliveries that may be on their way to its readers
	exposed int    // the same of readers that ended, in order or by a kill
	unseen  int    // redelivered ones that no client had before
	left    bool   // a reader ended in order
	trails  map[ID]*trail
}

// ID names a message.
type ID struct {
	Publisher uint32
	Seq       uint64 // from 1, without holes
}

type publisher struct {
	base int       // messages that a sweep forgot: the first ones
	sent []message // those after, by Seq-1-base
	told int       // the first so many are confirmed or refused
}

// at gives a message that was sent and is not forgotten.
func (p *publisher) at(seq uint64) *message { return &p.sent[int(seq)-1-p.base] }

// count is how many were sent.
func (p *publisher) count() int { return p.base + len(p.sent) }

type verdict uint8

const (
	unknown verdict = iota
	confirmed
	refused
)

// message is one publish.
type message struct {
	persistent bool
	done       bool // a sweep found that nothing can happen to it any more
	verdict    verdict
	life       int
	queues     []string
}

type state uint8

const (
	free    state = iota // in the queue, as far as known
	held                 // delivered, not settled
	acked                // the ack was sent
	settled              // and took effect for certain
	taken                // delivered to a consumer that does not settle
)

// trail is one message in one queue.
type trail struct {
	state    state
	life     int  // in which the state was noted
	received int  // times
	unmarked bool // one of them came without the mark
	drained  bool
}

// NewLedger begins a round.
func New() *Ledger { return &Ledger{queues: map[string]*queue{}} }

// Queue adds a queue. fanout names the exchange whose whole traffic a cold
// queue gets, or is empty.
func (l *Ledger) Queue(name string, use Use, durable bool, fanout string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues[name] = &queue{
		name: name, use: use, durable: durable, fanout: fanout, trails: map[ID]*trail{},
	}
}

// Publisher adds a publisher and gives its number.
func (l *Ledger) Publisher() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publishers = append(l.publishers, &publisher{})
	return uint32(len(l.publishers) - 1)
}

// Sending notes a publish to queues before it is sent.
func (l *Ledger) Sending(p uint32, persistent bool, queues []string) ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	pub := l.publishers[p]
	pub.sent = append(pub.sent, message{persistent: persistent, life: l.life, queues: queues})
	return ID{p, uint64(pub.count())}
}

// Told notes that the broker confirmed or refused all publishes up to seq that
// it had not told of before, or with multiple unset that one. It gives the
// number of publishes that are told of without a gap.
func (l *Ledger) Told(p uint32, seq uint64, multiple, ok bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	pub := l.publishers[p]
	from := int(seq) - 1
	if multiple {
		from = pub.told
	}
	if seq == 0 || seq > uint64(pub.count()) {
		l.find("publisher %d: confirm of %d, which was not sent", p, seq)
		return pub.told
	}
	for i := max(from, pub.base); i < int(seq); i++ {
		m := pub.at(uint64(i + 1))
		if m.verdict != unknown {
			if !multiple {
				l.find("publisher %d: message %d was told of twice", p, i+1)
			}
			continue
		}
		if m.verdict = refused; ok {
			m.verdict = confirmed
			l.confirmed++
		}
	}
	for pub.told < pub.count() && pub.at(uint64(pub.told+1)).verdict != unknown {
		pub.told++
	}
	return pub.told
}

// Confirmed is the number of confirmed publishes.
func (l *Ledger) Confirmed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.confirmed
}

// AnyNumber of deliveries may be on their way to a consumer without a limit.
const AnyNumber = 1 << 40

// Consuming notes that a client begins to read a queue, with at most prefetch
// deliveries on their way to it.
func (l *Ledger) Consuming(name string, prefetch int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues[name].reading += prefetch
}

// Left notes that a client is about to end in order. What was on its way to it
// may come back with the mark, unseen.
func (l *Ledger) Left(name string, prefetch int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues[name].reading -= prefetch
	l.queues[name].exposed += prefetch
	l.queues[name].left = true
}

// Stopping notes that the process is about to be stopped in order. It ends connections
// one after another: what one held may come to another one, with the mark, before the
// first has read that it ended, or has read the delivery itself.
func (l *Ledger) Stopping() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
}

// Killed notes that the process was killed or has stopped: what was held is free again, and
// all readers have ended.
func (l *Ledger) Killed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.life++
	l.stopping = false
	for _, q := range l.queues {
		q.exposed += q.reading
		q.reading = 0
	}
}

// Acked notes an ack before it is sent.
func (l *Ledger) Acked(name string, id ID) { l.note(name, id, acked) }

// Settled notes that an ack took effect for certain.
func (l *Ledger) Settled(name string, id ID) { l.note(name, id, settled) }

// Released notes a requeue, or the end of a connection, before it is sent. While the
// process stops, a connection's end may be read late: what another reader acked meanwhile
// stays so.
func (l *Ledger) Released(name string, id ID) { l.note(name, id, free) }

func (l *Ledger) note(name string, id ID, s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.queues[name].trails[id]
	if l.stopping && s == free && (t.state == acked || t.state == settled) {
		return
	}
	t.state, t.life = s, l.life
}

// Find reports something that should not be.
func (l *Ledger) Find(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.find(format, args...)
}

func (l *Ledger) find(format string, args ...any) {
	if len(l.findings) < maxFindings {
		l.findings = append(l.findings, fmt.Sprintf(format, args...))
	}
}
