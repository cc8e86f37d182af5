package seglog_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store/seglog"
	"coffer/internal/store/storetest"
)

// testSegment is the size of segments: a few groups.
const testSegment = 32 << 10

func config(fs vfs.FS) seglog.Config {
	return seglog.Config{
		FS: fs, Dir: "/store/log", ID: [16]byte{1, 2, 3}, SegmentBytes: testSegment,
	}
}

// payload is the record with a number: what it is and how long follows from that.
func payload(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	sizes := []int{8, 9, 100, 1000, 3000, 4096 - 32 - 4, 9000}
	size := sizes[r.Uint64()%uint64(len(sizes))]
	if n%40 == 39 {
		size = testSegment + 5000
	}
	b := make([]byte, size)
	_, _ = r.Read(b)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

// A tape notes what was done to a log with numbered records.
type tape struct {
	mu       sync.Mutex
	from     uint64             // the segment that a scan begins with
	start    int                // the first record in it
	appended int                // records that Append was called for
	acked    int                // records of which Wait returned
	places   map[int]seglog.Ref // of records that were not released
}

// marks is a tape at one moment.
type marks struct {
	from                   uint64
	start, acked, appended int
}

func newTape() *tape { return &tape{from: 1, places: map[int]seglog.Ref{}} }

func (p *tape) marks() marks {
	p.mu.Lock()
	defer p.mu.Unlock()
	return marks{p.from, p.start, p.acked, p.appended}
}

// append appends the next record.
func (p *tape) append(l *seglog.Log) (seglog.Ref, error) {
	p.mu.Lock()
	n := p.appended
	p.appended++
	p.mu.Unlock()
	text := payload(n)
	ref, err := l.Append(len(text), func(dst []byte) { copy(dst, text) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[n] = ref
	return ref, err
}

// wait waits for all records.
func (p *tape) wait(l *seglog.Log) error {
	p.mu.Lock()
	n := p.appended
	ref, ok := p.places[n-1]
	p.mu.Unlock()
	if !ok {
		return nil
	}
	if err := l.Wait(ref); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked = n
	return nil
}

// release rolls the log and gives up all before, as after writing it elsewhere.
func (p *tape) release(l *seglog.Log) error {
	from := l.Roll()
	if err := p.wait(l); err != nil {
		return err
	}
	p.mu.Lock()
	p.from, p.start = from, p.appended
	clear(p.places)
	p.mu.Unlock()
	l.Release(from)
	return nil
}

// read reads every record that was not released.
func (p *tape) read(l *seglog.Log) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, ref := range p.places {
		want := payload(n)
		got := make([]byte, len(want)+n%2*10_000)
		read, err := l.ReadAt(got, len(want), ref)
		if err != nil {
			return err
		}
		if read < len(want) || !bytes.Equal(got[:len(want)], want) {
			return fmt.Errorf("record %d at %v is not what was appended", n, ref)
		}
	}
	return nil
}

// scan checks what a log holds against marks and gives the number behind the last
// record and the places.
func scan(cfg seglog.Config, m marks) (seglog.End, int, map[int]seglog.Ref, error) {
	n, places := m.start, map[int]seglog.Ref{}
	end, err := seglog.Scan(cfg, m.from, func(r seglog.Record) error {
		if want := payload(n); !bytes.Equal(r.Payload, want) {
			return fmt.Errorf("record %d at %d.%d is another one", n, r.Segment, r.Offset)
		}
		places[n] = seglog.Ref{Segment: r.Segment, Offset: r.Offset}
		n++
		return nil
	})
	if err == nil && (n < m.acked || n > m.appended) {
		err = fmt.Errorf("it ends before record %d; %d were acknowledged, %d appended",
			n, m.acked, m.appended)
	}
	return end, n, places, err
}

// reopen scans a log, checks it, opens it, and goes on with a tape that knows what it holds.
func reopen(cfg seglog.Config, m marks) (*seglog.Log, *tape, error) {
	end, n, places, err := scan(cfg, m)
	if err != nil {
		return nil, nil, fmt.Errorf("scan: %w", err)
	}
	l, err := seglog.Open(cfg, end)
	if err != nil {
		return nil, nil, err
	}
	p := &tape{from: m.from, start: m.start, appended: n, acked: n, places: places}
	return l, p, p.read(l)
}

// play does a script with a log: groups of one and many records, some waited for,
// segments that are released, two starts.
func (p *tape) play(fs vfs.FS, fail func(error)) error {
	for life := range 3 {
		cfg := config(fs)
		cfg.Fail = fail
		end, n, places, err := scan(cfg, p.marks())
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		p.mu.Lock()
		p.appended, p.acked, p.places = n, n, places
		p.mu.Unlock()
		l, err := seglog.Open(cfg, end)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		if err := p.session(l, life); err != nil {
			_ = l.Close()
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (p *tape) session(l *seglog.Log, life int) error {
	for n := range 40 {
		if _, err := p.append(l); err != nil {
			return err
		}
		if n%3 == 0 || n > 30 {
			if err := p.wait(l); err != nil {
				return err
			}
		}
		if n%17 == 16-life {
			if err := p.release(l); err != nil {
				return err
			}
		}
	}
	if err := p.wait(l); err != nil {
		return err
	}
	return p.read(l)
}

func newDisk(t testing.TB) *storetest.Disk {
	t.Helper()
	disk := storetest.NewDisk()
	if err := disk.MkdirAll("/store", 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := disk.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	return disk
}
