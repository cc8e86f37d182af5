package broker

import (
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// Deeds are kinds of what sessions do to messages of a queue, as bits.
type Deeds uint8

// The kinds. What the broker does by itself (expiry, dead letters, moves) is none.
const (
	Publishes Deeds = 1 << iota // a queue took a message
	Delivers                    // a message was assigned to a consumer or a Get
	Settles                     // a delivery was settled, but not by itself
)

// Actor is who a session is, for the record.
type Actor struct {
	Broker   string // as clients know it: "b-…"
	VHost    string
	User     string
	Source   string // network address
	Protocol string
}

// Deed is what one session did to messages of one queue in one batch, at most
// MaxDeed of them.
type Deed struct {
	Kind    Deeds // one bit
	Outcome Outcome
	Actor   *Actor
	Queue   string
	// Messages are places in the queue, which stay while a message is in it, and ids of
	// records, zero where the record has left memory.
	Messages []DeedMessage
}

// DeedMessage names a message of a deed.
type DeedMessage struct {
	Sequence uint64
	ID       [16]byte
}

// MaxDeed bounds the messages of a Deed; more are several.
const MaxDeed = 1000

// deedBytes is what a message of a deed counts towards the size of a batch.
const deedBytes = 64

// Recorder keeps a record of deeds. It is called on the owners of shards, with one
// shard at a time for each: it must be quick and not block nor call the broker.
type Recorder interface {
	// Selected tells which deeds of an actor's virtual host at a queue must be on
	// record. It is asked again after each call of Core.Reselect.
	Selected(a *Actor, queue string) Deeds
	// Record adds to b, a batch of the shard, what is stored of the deeds. What they
	// cause is not seen before b is durable; durable is called then, in the order of
	// the batches. After an error the shard fails: nothing goes unrecorded.
	Record(shard store.ShardID, at time.Time, b *store.Batch, list []*Deed) (
		durable func(), err error)
}

// Reselect makes every queue ask the Recorder anew; any tells whether any deed at all
// is selected. Deeds that begin after it returns go by the new selection.
func (c *Core) Reselect(any bool) {
	if c.cfg.Recorder == nil {
		return
	}
	c.selections.Add(1)
	if !any {
		c.selection.Store(0)
		return
	}
	c.selection.Store(c.selections.Load())
}

// deedKey is what deeds of a batch are gathered by.
type deedKey struct {
	s       *Session
	q       *Queue
	kind    Deeds
	outcome Outcome
}

// recorded reports whether deeds of this kind must be on record.
func (sh *shard) recorded(s *Session, q *Queue, kind Deeds) bool {
	now := sh.core.selection.Load()
	if now == 0 || s.cfg.Actor == nil || q.namespace != s.namespace {
		return false
	}
	st := &q.state
	if st.selection != now {
		st.selection = now
		st.selected = sh.core.cfg.Recorder.Selected(s.cfg.Actor, q.spec.Name)
	}
	return st.selected&kind != 0
}

// record notes a deed for the open batch, which it makes worth writing.
func (sh *shard) record(s *Session, q *Queue, kind Deeds, o Outcome, m DeedMessage) {
	b := sh.batch
	key := deedKey{s, q, kind, o}
	d := b.deeds[key]
	if d == nil || len(d.Messages) == MaxDeed {
		if b.deeds == nil {
			b.deeds = map[deedKey]*Deed{}
		}
		d = &Deed{Kind: kind, Outcome: o, Actor: s.cfg.Actor, Queue: q.spec.Name}
		b.deeds[key] = d
		b.list = append(b.list, d)
	}
	d.Messages = append(d.Messages, m)
	b.noted += deedBytes
}

// named gives what a deed says of a message.
func (e *entry) named() DeedMessage {
	m := DeedMessage{Sequence: e.seq}
	if h, err := seal.ParseRecord(e.record); e.record != nil && err == nil {
		m.ID = h.ID
	}
	return m
}

// writeDeeds puts the deeds of the open batch into it.
func (sh *shard) writeDeeds(b *batch) (err error) {
	if len(b.list) > 0 {
		b.durable, err = sh.core.cfg.Recorder.Record(sh.id, sh.core.cfg.Now(), &b.Batch, b.list)
		b.forget()
	}
	return err
}

// forget drops the deeds of a batch.
func (b *batch) forget() {
	clear(b.list)
	clear(b.deeds)
	b.list, b.noted = b.list[:0], 0
}
