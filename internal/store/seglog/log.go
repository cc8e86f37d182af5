// Package seglog is a log of records in numbered segments: files that are filled
// with zeros ahead of the writer and used again, so that making a group of
// records durable is one write and one sync that changes no metadata.
//
// It guarantees that records come back in the order of Append; that what Wait
// reported survives a crash at any point; that a group of records that was written
// when a crash came is there as a whole or not at all; and that bytes of an earlier
// use of a file, of another segment or of another store are never taken for
// records. A loss or change of anything that the log can know to have been durable
// is store.ErrDamaged with the name of the file. It cannot know that of the last
// group: whoever uses it notes elsewhere what was acknowledged. It neither encrypts
// nor checks what ReadAt gives: what is secret is sealed above.
//
// Every stored byte is described in doc/format/store.md.
package seglog

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// Bounds.
const (
	// MaxRecord is the size of the largest record, in bytes. One that does not fit
	// into a segment gets a longer one of its own.
	MaxRecord = 1 << 30

	segmentBytes = 64 << 20 // by default
	groupBytes   = 4 << 20  // of a group, unless a single record is larger
	pendingBytes = 8 << 20  // appended and not written; above it Append waits
	maxSpares    = 2        // files kept for later segments
)

// Config says where a log is. FS, Dir and ID are required.
type Config struct {
	// FS is the file system.
	FS vfs.FS
	// Dir is the folder of the log; Open makes it when it is missing.
	Dir string
	// ID tells this log from every other one: it is in each checksum.
	ID [16]byte
	// SegmentBytes is the size of a segment, rounded up to 4096; 0 means 64 MiB, and
	// 2 GiB is the most. It may differ from one Open to the next.
	SegmentBytes int64
	// Synced is told how long each sync of records took. It must not block. It may
	// be nil.
	Synced func(took time.Duration)
	// Fail is called once, after the first error of a write or sync, from a
	// goroutine of the log. It must not close the log. It may be nil.
	Fail func(error)
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes <= 0 {
		c.SegmentBytes = segmentBytes
	}
	c.SegmentBytes = pages(min(c.SegmentBytes, math.MaxInt32))
	return c
}

// Ref is the place of a record: of the first byte of its payload.
type Ref struct {
	Segment uint64
	Offset  uint32
}

// A Log is open for any number of goroutines.
type Log struct {
	cfg    Config
	key    key
	work   *sync.Cond // the queue is not empty, or the log ends
	room   *sync.Cond // less is pending, or the log ends
	behind chan struct{}
	stop   chan struct{}
	writer sync.WaitGroup // ends first
	helper sync.WaitGroup

	files chan struct{} // full while a file is begun or grown; before mu, and no mutex
	// because that may wait for room on the disk, of which tests must see that it waits

	mu      sync.Mutex
	queue   []*group // in order; the first one may be being written
	pending int      // bytes of them
	tail    position // behind the last record that was appended
	rolled  bool     // the next group begins a segment
	durable position
	live    []*segment // that have files, without gaps in their numbers
	next    uint64     // number of the first segment that has no file
	spares  []uint64   // numbers in the names of files to use again
	free    [][]byte   // buffers of earlier groups
	small   int        // groups since a large buffer was needed
	closing bool
	failed  bool
}

// position is a place behind a record, or where a segment ends.
type position struct {
	segment uint64
	end     int64
}

func (p position) covers(ref Ref) bool {
	return ref.Segment < p.segment || ref.Segment == p.segment && int64(ref.Offset) <= p.end
}

// Open goes on with the log behind end, which Scan gave for the same files. It
// makes durable what Scan showed, and takes all files that are behind it and before
// it for later segments.
func Open(cfg Config, end End) (*Log, error) {
	l := newLog(cfg, end)
	if err := l.adopt(end); err != nil {
		return nil, l.unopened(err)
	}
	l.writer.Go(l.write)
	l.helper.Go(l.help)
	return l, nil
}

// Inspect gives a log that ends at end, which Scan gave for the same files, only for
// ReadAt. It changes no byte, and Append gives store.ErrClosed.
func Inspect(cfg Config, end End) (*Log, error) {
	l := newLog(cfg, end)
	l.closing = true
	for n := end.first; n <= end.at.segment; n++ {
		if err := l.load(n, l.cfg.FS.Open); err != nil {
			return nil, l.unopened(err)
		}
	}
	return l, nil
}

func newLog(cfg Config, end End) *Log {
	cfg = cfg.withDefaults()
	l := &Log{
		cfg: cfg, key: newKey(cfg.ID), behind: make(chan struct{}, 1), stop: make(chan struct{}),
		tail: end.at, durable: end.at, rolled: end.at.end == 0,
		next: end.at.segment + 1, files: make(chan struct{}, 1),
	}
	l.work, l.room = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	return l
}

func (l *Log) unopened(err error) error {
	err = errors.Join(err, l.closeFiles())
	return fmt.Errorf("open log in %s: %w", l.cfg.Dir, err)
}

// Close writes what was appended and closes the files. Nothing may be appended or
// read meanwhile. It is not an error of Close that the log failed.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.work.Broadcast()
	l.room.Broadcast()
	l.writer.Wait()
	close(l.stop)
	l.helper.Wait()
	if err := l.closeFiles(); err != nil {
		return fmt.Errorf("close log in %s: %w", l.cfg.Dir, err)
	}
	return nil
}

func (l *Log) closeFiles() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range l.live {
		errs = append(errs, s.file.Close())
	}
	l.live = nil
	return errors.Join(errs...)
}

// fail ends the log after an error of a write or sync: nothing more is written,
// and every wait ends without success.
func (l *Log) fail(err error) {
	l.mu.Lock()
	first := !l.failed
	l.failed = true
	queue := l.queue
	l.queue, l.pending = nil, 0
	l.mu.Unlock()
	for _, g := range queue {
		close(g.settled)
	}
	l.work.Broadcast()
	l.room.Broadcast()
	if first && l.cfg.Fail != nil {
		l.cfg.Fail(err)
	}
}

// refusal is why nothing is appended any more, or nil; mu is held.
func (l *Log) refusal() error {
	switch {
	case l.failed:
		return store.ErrLost
	case l.closing:
		return store.ErrClosed
	}
	return nil
}

// Stats is what a log has on the disk.
type Stats struct {
	Segments int   // that hold records which were not released
	Bytes    int64 // of all files, without spare ones
	Spares   int   // files kept for later segments
	Pending  int   // bytes appended and not durable
}

// Stats gives the present numbers. It is cheap.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Stats{Spares: len(l.spares), Pending: l.pending}
	for _, s := range l.live {
		st.Bytes += s.size
		if s.number <= l.tail.segment {
			st.Segments++
		}
	}
	return st
}
