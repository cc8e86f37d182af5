package broker

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"coffer/internal/seal"
)

// queueCheck is what the walk found of the queue whose durable messages it is in.
type queueCheck struct {
	id      queueID
	record  *queueRecord // nil: it is missing or damaged
	lanes   map[uint8]*laneCheck
	delayed int64
	due     int64  // of the first delayed one
	top     uint64 // highest sequence of a delayed one
}

// laneCheck is the messages of one lane.
type laneCheck struct {
	depth, bytes, body int64
	low, high          uint64
	marks              bool
	unsure             bool // some do not tell their sizes
}

func (q *queueCheck) lane(priority uint8) *laneCheck {
	l := q.lanes[priority]
	if l == nil {
		l = &laneCheck{}
		q.lanes[priority] = l
	}
	return l
}

// record checks a queue record. Whether it counts right is compared when the walk
// comes by the messages; if there are none it never does.
func (c *check) record(key, v []byte, what string) (string, error) {
	id, err := parseRecordKey(key)
	if err != nil {
		return what, err
	}
	what = "record of " + c.name(id)
	k, ok := c.known[id]
	if !ok {
		c.sum.Leftover++
		return what, nil
	}
	if err := c.open(key, v); err != nil {
		return what, err
	}
	r, err := parseQueueRecord(c.plain)
	if err != nil {
		return what, err
	}
	count := r.delayed
	for i := range r.lanes {
		l := &r.lanes[i]
		count += l.depth
		if k.opened && l.priority > k.max {
			return what, fmt.Errorf("messages of priority %d; the queue has up to %d",
				l.priority, k.max)
		}
	}
	if count == 0 {
		return what, nil
	}
	it := c.snap.Iter(queueRange(classDurable, id))
	some := it.Next()
	if err = errors.Join(it.Err(), it.Close()); err == nil && !some {
		err = fmt.Errorf("it counts %d messages, none is there", count)
	}
	return what, err
}

// enter begins the durable messages of a queue.
func (c *check) enter(id queueID) {
	if c.queue != nil && c.queue.id == id {
		return
	}
	c.endQueue()
	c.queue = &queueCheck{id: id, lanes: map[uint8]*laneCheck{}}
	key := recordKey(nil, id)
	v, ok, err := c.snap.Get(key)
	if err == nil && !ok {
		c.report(c.name(id), errors.New("it has messages but no record"))
	}
	if err != nil || !ok || c.open(key, v) != nil {
		return // who came by the record told
	}
	if r, err := parseQueueRecord(c.plain); err == nil {
		c.queue.record = &r
	}
}

// endQueue compares what was found of a queue with its record.
func (c *check) endQueue() {
	q := c.queue
	c.queue = nil
	if q == nil || q.record == nil {
		return
	}
	for i := range q.record.lanes {
		l := &q.record.lanes[i]
		if err := q.lane(l.priority).differs(&l.stock, q.record.next); err != nil {
			c.report(fmt.Sprintf("%s, priority %d", c.name(q.id), l.priority), err)
		}
		delete(q.lanes, l.priority)
	}
	for priority, l := range q.lanes {
		if err := l.differs(&stock{marks: l.marks}, q.record.next); err != nil {
			c.report(fmt.Sprintf("%s, priority %d", c.name(q.id), priority), err)
		}
	}
	var errs []error
	if q.delayed != q.record.delayed {
		errs = append(errs, fmt.Errorf("%d delayed messages, its record counts %d",
			q.delayed, q.record.delayed))
	}
	if q.delayed > 0 && q.record.delayed > 0 && q.due < q.record.due {
		errs = append(errs, errors.New("a message is due before the time in its record"))
	}
	if q.delayed > 0 && q.top >= q.record.next {
		errs = append(errs, fmt.Errorf("a delayed message has sequence %d, the next is %d",
			q.top, q.record.next))
	}
	if len(errs) > 0 {
		c.report(c.name(q.id), join(errs))
	}
}

// differs compares a lane with what the record says of it.
func (l *laneCheck) differs(r *stock, next uint64) error {
	var errs []error
	for _, x := range [...]struct {
		what         string
		found, wants int64
		skip         bool
	}{
		{"messages", l.depth, r.depth, false},
		{"bytes of records", l.bytes, r.bytes, l.unsure},
		{"bytes of bodies", l.body, r.body, l.unsure},
	} {
		if x.found != x.wants && !x.skip {
			errs = append(errs, fmt.Errorf("%d %s, its record counts %d",
				x.found, x.what, x.wants))
		}
	}
	switch {
	case l.depth > 0 && l.low < r.first:
		errs = append(errs, fmt.Errorf("sequence %d is before the first, %d", l.low, r.first))
	case l.depth > 0 && l.high >= next:
		errs = append(errs, fmt.Errorf("sequence %d, the next is %d", l.high, next))
	}
	if l.marks && !r.marks {
		errs = append(errs, errors.New("dead marks of which its record does not know"))
	}
	return join(errs)
}

// join is errors.Join in one line.
func join(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	err := errs[0]
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e)
	}
	return err
}

// ofQueue checks what is stored of a message or beside one.
func (c *check) ofQueue(key, v []byte, what string) (string, error) {
	if len(key) < 1+8+1 {
		return what, seal.ErrFormat
	}
	cl, id, k := class(key[0]), queueID(binary.BigEndian.Uint64(key[1:])), kind(key[9])
	if _, ok := c.known[id]; !ok {
		c.sum.Leftover++
		return what, nil
	}
	if cl == classDurable {
		c.enter(id)
	}
	words := map[kind]string{
		kindLive: "message", kindDelayed: "delayed message", kindLease: "lease",
		kindCount: "count", kindDead: "dead mark",
	}
	switch {
	case words[k] == "" || cl == classSpilled && k > kindDelayed:
		return what, fmt.Errorf("kind %d of %s is unknown", k, c.name(id))
	case k == kindDelayed:
		due, seq, priority, err := parseDelayedKey(key)
		if err != nil {
			return what, err
		}
		if q := c.queue; cl == classDurable {
			if q.delayed++; q.delayed == 1 { // they come in the order of their times
				q.due = due
			}
			q.top = max(q.top, seq)
		}
		_, _, err = c.message(key, v, true)
		return c.called(words[k], id, priority, seq), err
	}
	_, _, priority, seq, err := parseSideKey(key, k)
	if err != nil {
		return what, err
	}
	what = c.called(words[k], id, priority, seq)
	if k != kindLive {
		return what, c.beside(key, v, k, priority, seq)
	}
	return what, c.live(key, v, priority, seq)
}

// called names a row by queue, priority and sequence.
func (c *check) called(word string, id queueID, priority uint8, seq uint64) string {
	return fmt.Sprintf("%s of %s, priority %d, sequence %d", word, c.name(id), priority, seq)
}

// live checks a message that waits or is in flight.
func (c *check) live(key, v []byte, priority uint8, seq uint64) error {
	e, size, err := c.message(key, v, true)
	if class(key[0]) == classSpilled {
		return err
	}
	l := c.queue.lane(priority)
	if l.depth++; l.depth == 1 {
		l.low = seq
	}
	l.high = seq
	l.bytes += int64(size)
	l.body += int64(e.body)
	l.unsure = l.unsure || size == 0
	return err
}

// message opens what is stored of a message; size is 0 when it does not tell the
// bytes of its record. deep looks at what lies apart, too.
func (c *check) message(key, v []byte, deep bool) (e envelope, size int, err error) {
	box, record, err := splitValue(v)
	if err == nil {
		err = c.open(key, box)
	}
	if err == nil {
		e, err = parseEnvelope(c.plain)
	}
	if err != nil {
		return e, 0, err
	}
	if e.sharedRecord() {
		if len(record) > 0 {
			return e, 0, errors.New("it has two records")
		}
		var ok bool
		record, ok, err = c.snap.Get(bodyKey(nil, e.id, 0))
		if err == nil && !ok {
			err = fmt.Errorf("record %x is missing", e.id)
		}
		if err != nil {
			c.found(e.id, err)
			return e, 0, err
		}
	}
	if err = e.names(record); err != nil {
		if e.sharedRecord() {
			c.found(e.id, err)
		}
		return e, 0, err
	}
	if deep {
		id := queueID(binary.BigEndian.Uint64(key[1:]))
		err = cmp.Or(c.apart(e.apart(), key), c.keyOf(c.known[id].in, record))
	}
	return e, len(record), err
}

// beside checks a lease, count or mark, and that its message is there.
func (c *check) beside(key, v []byte, k kind, priority uint8, seq uint64) error {
	if err := c.open(key, v); err != nil {
		return err
	}
	size, body := 0, 0
	var err error
	switch k {
	case kindLease:
		var r leaseRow
		r, err = parseLeaseRow(c.plain)
		size, body = r.size, r.body
	case kindCount:
		_, err = parseTally(c.plain)
	case kindDead:
		var m mark
		m, err = parseMark(c.plain)
		size, body = m.size, m.body
		c.queue.lane(priority).marks = true
	}
	if err != nil {
		return err
	}
	of := entryKey(nil, classDurable, c.queue.id, priority, seq)
	value, ok, err := c.snap.Get(of)
	if err == nil && !ok {
		err = errors.New("its message is not there")
	}
	if err != nil || k == kindCount {
		return err
	}
	e, real, err := c.message(of, value, false)
	if err == nil && (real != size || e.body != body) {
		return fmt.Errorf("%d bytes, %d of the body; its message has %d and %d",
			size, body, real, e.body)
	}
	return nil // who came by the message told
}
