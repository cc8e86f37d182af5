package seglog

import (
	"encoding/binary"
	"fmt"
	"slices"

	"coffer/internal/store"
)

// Bounds of the buffers that are used again.
const (
	maxFree    = 2          // buffers
	maxBuffer  = groupBytes // bytes of one
	firstBytes = 64 << 10   // of a new one
	fewBytes   = 256 << 10  // larger ones go when they were not needed
	manyGroups = 1000       // for so many groups
)

// A group is what one write and one sync make durable.
type group struct {
	head    head
	buf     []byte // head, records; whole pages once it is taken
	end     int64  // behind the last record, in the segment
	taken   bool   // nothing is appended to it any more
	settled chan struct{}
}

// Append puts a record of size bytes behind all earlier ones: fill writes it into
// the log's own buffer. fill must not use the log. The order of the calls is the
// order in the log. Append waits only while 8 MiB are not written yet.
//
// Its errors are store.ErrLimit above MaxRecord, store.ErrLost after a failure and
// store.ErrClosed: nothing was appended.
func (l *Log) Append(size int, fill func(dst []byte)) (Ref, error) {
	if size < 0 || size > MaxRecord {
		return Ref{}, fmt.Errorf("%w: record of %d bytes", store.ErrLimit, size)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.refusal() == nil && l.pending > 0 && l.pending+size > pendingBytes {
		l.room.Wait()
	}
	if err := l.refusal(); err != nil {
		return Ref{}, err
	}
	g := l.open(lengthSize + size)
	at := len(g.buf)
	need := lengthSize + size
	if cap(g.buf)-at < need {
		g.buf = enlarge(g.buf, need)
	}
	g.buf = g.buf[:at+need]
	binary.BigEndian.PutUint32(g.buf[at:], uint32(size))
	at += lengthSize
	fill(g.buf[at : at+size : at+size])
	l.pending += need
	g.end += int64(need)
	l.tail.end = g.end
	l.work.Signal()
	return Ref{g.head.segment, g.head.offset + uint32(at)}, nil
}

// open gives the group that takes the next record, of so many bytes; mu is held.
func (l *Log) open(size int) *group {
	limit := l.cfg.SegmentBytes
	if n := len(l.queue); n > 0 && !l.rolled {
		g := l.queue[n-1]
		if !g.taken && len(g.buf)+size <= groupBytes && g.end+int64(size) <= limit {
			return g
		}
	}
	h := head{segment: l.tail.segment, before: uint32(l.tail.end)}
	at := pages(l.tail.end)
	if l.rolled || at+headSize+int64(size) > limit {
		h.segment, at = h.segment+1, 0
	}
	h.offset = uint32(at)
	g := &group{head: h, buf: l.buffer(), end: at + headSize, settled: make(chan struct{})}
	l.queue = append(l.queue, g)
	l.pending += headSize
	l.tail, l.rolled = position{h.segment, g.end}, false
	return g
}

// buffer gives one with room for a head, at its length; mu is held.
func (l *Log) buffer() []byte {
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free = l.free[:n-1]
		return b[:headSize]
	}
	return make([]byte, headSize, firstBytes)
}

// enlarge gives b room for n more bytes, in whole pages.
func enlarge(b []byte, n int) []byte {
	bigger := make([]byte, len(b), pages(int64(max(min(2*cap(b), groupBytes), len(b)+n))))
	copy(bigger, b)
	return bigger
}

// keep takes a buffer back. One that is larger than what was lately needed goes;
// mu is held.
func (l *Log) keep(b []byte) {
	if l.small++; len(b) > fewBytes {
		l.small = 0
	}
	if cap(b) > maxBuffer || cap(b) > fewBytes && l.small > manyGroups {
		return
	}
	if len(l.free) < maxFree {
		l.free = append(l.free, b)
	}
}

// Wait returns when the record at ref is durable. After a failure of the log its
// error is store.ErrUnknown, whatever was durable before.
func (l *Log) Wait(ref Ref) error {
	l.mu.Lock()
	g := l.waiting(ref)
	l.mu.Unlock()
	if g != nil {
		<-g.settled
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed || !l.durable.covers(ref) {
		return store.ErrUnknown
	}
	return nil
}

// waiting finds the group that is not durable and holds the place; mu is held.
func (l *Log) waiting(ref Ref) *group {
	for _, g := range l.queue {
		if g.head.segment == ref.Segment && g.head.offset < ref.Offset &&
			int64(ref.Offset) <= g.end {
			return g
		}
	}
	return nil
}

// Durable gives the last segment that holds a durable record and the offset behind
// that record. A copy of the files up to there is a whole log.
func (l *Log) Durable() (segment uint64, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable.segment, l.durable.end
}

// Roll lets all later records be in later segments, and gives the number of the
// first of these.
func (l *Log) Roll() uint64 {
	l.mu.Lock()
	l.rolled = true
	next := l.tail.segment + 1
	l.mu.Unlock()
	l.hurry()
	return next
}

// first is the lowest segment that is still to be written to; mu is held.
func (l *Log) first() uint64 {
	switch {
	case len(l.queue) > 0:
		return l.queue[0].head.segment
	case l.rolled:
		return l.tail.segment + 1
	default:
		return l.tail.segment
	}
}

// pop takes the first group out of the queue, whose buffer may be used again; mu is held.
func (l *Log) pop() {
	g := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	l.pending -= headSize + int(g.head.length)
	l.keep(g.buf)
}
