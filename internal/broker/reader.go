package broker

import (
	"fmt"
	"sync"

	"coffer/internal/store"
)

// reader is the goroutine that reads a shard's messages back for its owner and
// opens their envelopes.
type reader struct {
	shard *shard
	place place
	snap  store.Snapshot // of the job in hand
	plain []byte
	box   []byte
	last  [2]string // address and key of the message before: most are the same

	mu     sync.Mutex
	some   sync.Cond
	jobs   []*readJob // at most one of each lane
	closed bool
}

// readJob asks for records and holds the answer.
type readJob struct {
	due   *dueJob    // this instead of all that follows but err
	check *bodyCheck // not nil: the job is another one
	lane  *lane
	gen   uint32
	bytes int // about as much is enough

	// Either the records of these, in their order; the reader leaves entries alone.
	entries []*entry
	wanted  []position
	// Or what stands from from on, before to.
	from, to uint64
	spills   bool // class 0x11 too
	peek     bool // to learn when it expires: records are not kept

	found []stored
	next  uint64 // all before was found
	err   error
}

type position struct {
	class class
	seq   uint64
}

// stored is a message as it was read, checked to be the one for its place.
type stored struct {
	position
	record  []byte
	counted bool // its count was beside it
	facts
}

func (r *reader) open(sh *shard) {
	r.shard, r.place = sh, sh.place
	r.some.L = &r.mu
}

func (r *reader) add(j *readJob) {
	r.mu.Lock()
	r.jobs = append(r.jobs, j)
	r.mu.Unlock()
	r.some.Signal()
}

func (r *reader) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.some.Signal()
}

func (r *reader) run() {
	for {
		r.mu.Lock()
		for len(r.jobs) == 0 && !r.closed {
			r.some.Wait()
		}
		jobs := r.jobs
		r.jobs = nil
		closed := r.closed
		r.mu.Unlock()
		if closed {
			return
		}
		for _, j := range jobs {
			j.err = r.do(j)
			r.shard.mail.urgent(request{kind: reqRead, read: j})
		}
	}
}

func (r *reader) do(j *readJob) (err error) {
	snap := r.shard.store.Snapshot()
	defer func() {
		if cerr := snap.Close(); err == nil {
			err = cerr
		}
	}()
	switch r.snap = snap; {
	case j.due != nil:
		return r.due(snap, j.due)
	case j.check != nil:
		return r.check(snap, j.check)
	case j.wanted == nil:
		return r.page(snap, j)
	}
	for _, p := range j.wanted {
		key := entryKey(nil, p.class, j.lane.queue.id, j.lane.priority, p.seq)
		v, ok, err := snap.Get(key)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: key %x is missing", store.ErrDamaged, key)
		}
		if err := r.take(j, key, v); err != nil {
			return err
		}
	}
	return nil
}

// maxPage bounds a page in messages.
const maxPage = 4096

// page reads both classes in the order of sequences.
func (r *reader) page(snap store.Snapshot, j *readJob) (err error) {
	durable := r.iter(snap, j, classDurable, kindLive)
	counts := counts{walk: r.iter(snap, j, classDurable, kindCount)}
	var spilled walk
	if j.spills {
		spilled = r.iter(snap, j, classSpilled, kindLive)
	}
	defer func() {
		for _, w := range [...]*walk{&durable, &spilled, &counts.walk} {
			if cerr := w.close(); err == nil {
				err = cerr
			}
		}
	}()
	j.next = j.to
	for left := j.bytes; ; {
		w := &durable
		if !w.ok || spilled.ok && spilled.seq < w.seq {
			w = &spilled
		}
		if !w.ok {
			return nil
		}
		if left <= 0 || len(j.found) >= maxPage {
			j.next = w.seq
			return nil
		}
		if err := r.take(j, w.it.Key(), w.it.Value()); err != nil {
			return err
		}
		if w == &durable {
			if err := r.count(j, &counts); err != nil {
				return err
			}
		}
		left -= max(len(w.it.Value()), len(j.found[len(j.found)-1].record))
		if err := w.step(); err != nil {
			return err
		}
	}
}

// take checks a stored message and adds it to what j found. key and value are
// not kept.
func (r *reader) take(j *readJob, key, value []byte) error {
	c, _, _, seq, err := parseEntryKey(key)
	if err != nil {
		return err
	}
	f, err := r.message(key, value)
	if err != nil {
		return err
	}
	f.position = position{c, seq}
	j.found = append(j.found, f)
	return nil
}

// message opens and checks a stored message.
func (r *reader) message(key, value []byte) (f stored, err error) {
	box, record, err := splitValue(value)
	if err != nil {
		return f, fmt.Errorf("%w: key %x: %w", store.ErrDamaged, key, err)
	}
	if r.plain, err = r.place.open(r.plain[:0], key, box); err != nil {
		return f, err
	}
	e, err := parseEnvelope(r.plain)
	if err == nil && e.sharedRecord() {
		if record, err = r.shared(&e, record); err != nil {
			return f, fmt.Errorf("key %x: %w", key, err)
		}
	}
	if err == nil {
		err = e.names(record)
	}
	if err != nil {
		return f, fmt.Errorf("%w: key %x: %w", store.ErrDamaged, key, err)
	}
	if string(e.address) != r.last[0] {
		r.last[0] = string(e.address)
	}
	if string(e.key) != r.last[1] {
		r.last[1] = string(e.key)
	}
	if !e.sharedRecord() {
		record = r.keep(record)
	}
	f = stored{record: record, facts: e.facts}
	f.address, f.key = r.last[0], r.last[1]
	return f, nil
}

// count adds the count of the last message that j found.
func (r *reader) count(j *readJob, c *counts) error {
	f := &j.found[len(j.found)-1]
	t, ok, err := c.of(&r.place, f.seq)
	if ok {
		f.counted, f.count, f.received = true, t.count, t.received
	}
	return err
}

// shared gives the record that an entry shares with others; inline is what stands
// in its place.
func (r *reader) shared(e *envelope, inline []byte) ([]byte, error) {
	if len(inline) > 0 {
		return nil, fmt.Errorf("%w: it has two records", store.ErrDamaged)
	}
	record, ok, err := r.snap.Get(bodyKey(nil, e.id, 0))
	if err == nil && !ok {
		err = fmt.Errorf("%w: record %x is missing", store.ErrDamaged, e.id)
	}
	return record, err
}

// keepTogether is the size of the memory that small records share. One that
// stays long keeps no more than this alive.
const keepTogether = 16 << 10

// keep copies a record into memory of the garbage collector's.
func (r *reader) keep(record []byte) []byte {
	if len(record) > keepTogether/4 {
		return append([]byte(nil), record...)
	}
	if cap(r.box)-len(r.box) < len(record) {
		r.box = make([]byte, 0, keepTogether)
	}
	at := len(r.box)
	r.box = append(r.box, record...)
	return r.box[at:len(r.box):len(r.box)]
}

// walk is an iterator over one class and where it stands.
type walk struct {
	it   store.Iterator
	kind kind
	seq  uint64
	ok   bool
	err  error
}

func (r *reader) iter(snap store.Snapshot, j *readJob, c class, k kind) walk {
	id, priority := j.lane.queue.id, j.lane.priority
	lower := sideKey(nil, c, id, k, priority, j.from)
	w := walk{it: snap.Iter(lower, sideKey(nil, c, id, k, priority, j.to)), kind: k}
	w.err = w.step()
	return w
}

func (w *walk) step() error {
	if w.ok = w.it.Next(); !w.ok {
		return w.it.Err()
	}
	var err error
	_, _, _, w.seq, err = parseSideKey(w.it.Key(), w.kind)
	w.ok = err == nil
	return err
}

func (w *walk) close() error {
	if w.it == nil {
		return nil
	}
	err := w.it.Close()
	if w.err != nil {
		return w.err
	}
	return err
}
