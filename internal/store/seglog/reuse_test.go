package seglog_test

import (
	"bytes"
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/internal/store/seglog"
)

// TestReuse reads while segments are released and their files used again: a read
// gives what was appended there, or says that it is not there any more.
func TestReuse(t *testing.T) {
	t.Parallel()
	cfg := config(newDisk(t))
	l, _ := open(t, cfg, newTape().marks())
	const records, readers = 400, 4
	var places [records]atomic.Pointer[seglog.Ref]
	var found, gone atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	for g := range readers {
		wg.Go(func() {
			for n := g; ; n = (n + 7) % records {
				select {
				case <-done:
					return
				default:
				}
				ref := places[n].Load()
				if ref == nil {
					continue
				}
				want := payload(n)
				got := make([]byte, len(want))
				switch _, err := l.ReadAt(got, len(got), *ref); {
				case errors.Is(err, fs.ErrNotExist):
					gone.Add(1)
				case err != nil || !bytes.Equal(got, want):
					t.Errorf("record %d: %v", n, err)
					return
				default:
					found.Add(1)
				}
			}
		})
	}
	most := 0
	for n := range records {
		text := payload(n)
		ref, err := l.Append(len(text), func(dst []byte) { copy(dst, text) })
		if err != nil {
			t.Fatal(err)
		}
		places[n].Store(&ref)
		if err := l.Wait(ref); err != nil {
			t.Fatal(err)
		}
		l.Release(ref.Segment - min(ref.Segment, 2))
		most = max(most, l.Stats().Segments)
	}
	for found.Load() == 0 || gone.Load() == 0 {
		runtime.Gosched()
	}
	close(done)
	wg.Wait()
	closed(t, l)
	numbers := len(files(t, cfg.FS))
	if numbers > most+3 || numbers < 3 {
		t.Errorf("%d files; at most %d segments, two spare files and one ahead", numbers, most)
	}
}

// TestSpares: what is released is used again, longer files are not kept, and a start
// takes over what the one before left.
func TestSpares(t *testing.T) {
	t.Parallel()
	disk := newDisk(t)
	cfg := config(disk)
	l, p := open(t, cfg, newTape().marks())
	for range 6 {
		fill(t, l, p, 45) // one of them longer than a segment
		if err := p.release(l); err != nil {
			t.Fatal(err)
		}
		if st := l.Stats(); st.Spares > 2 || st.Bytes > 2*testSegment {
			t.Errorf("%+v", st)
		}
		closed(t, l)
		held := files(t, disk)
		for n, text := range held {
			if len(text) > testSegment {
				t.Errorf("the file of segment %d was kept with %d bytes", n, len(text))
			}
		}
		if len(held) < 2 || len(held) > 4 {
			t.Errorf("%d files", len(held))
		}
		l, p = open(t, cfg, p.marks())
	}
	closed(t, l)
}
