package seglog_test

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store/seglog"
	"coffer/internal/store/storetest"
)

// TestConfirm: what a start read from a file that was never synced is written again
// and synced before anything else, so that it can be relied on.
func TestConfirm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		cfg := config(disk)
		l, p := open(t, cfg, newTape().marks())
		fill(t, l, p, 5)
		synctest.Wait() // until nothing is made ahead: that syncs, too
		disk.OnChange(func(c storetest.Change) error {
			if c.Op == "sync" {
				return errDisk
			}
			return nil
		})
		if _, err := p.append(l); err != nil {
			t.Fatal(err)
		}
		if err := p.wait(l); err == nil {
			t.Fatal("the disk did not fail")
		}
		closed(t, l)
		var changes []string
		disk.OnChange(func(c storetest.Change) error {
			changes = append(changes, c.Op)
			return nil
		})
		l, p = open(t, cfg, p.marks())
		disk.OnChange(nil)
		if p.acked != 6 || strings.Join(changes, " ") != "create write sync sync" {
			t.Errorf("%d records, %v", p.acked, changes)
		}
		image := disk.Image(0, 1)
		closed(t, l)
		if _, _, _, err := scan(config(image), p.marks()); err != nil {
			t.Error(err)
		}
	})
}

// TestPadding: behind a group are zeros, whatever its buffer held before.
func TestPadding(t *testing.T) {
	t.Parallel()
	cfg := config(newDisk(t))
	l, p := open(t, cfg, newTape().marks())
	for range 30 {
		fill(t, l, p, 1)
	}
	closed(t, l)
	texts := files(t, cfg.FS)
	for n, ref := range p.places {
		end := int(ref.Offset) + len(payload(n))
		rest := texts[ref.Segment][end : (end+4095)/4096*4096]
		if bytes.Count(rest, []byte{0}) != len(rest) {
			t.Errorf("record %d is followed by bytes that are not zero", n)
		}
	}
}

// TestBound: what is appended and cannot be written is bounded, and waits.
func TestBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		cfg := config(disk)
		cfg.SegmentBytes = 16 << 20
		l, err := seglog.Open(cfg, seglog.End{})
		if err != nil {
			t.Fatal(err)
		}
		release := disk.Hold()
		const most, records = 8, 12
		var appended atomic.Int64
		done := make(chan error, 1)
		go func() {
			var last seglog.Ref
			for range records {
				ref, err := l.Append(1<<20, func([]byte) {})
				if err != nil {
					done <- err
					return
				}
				appended.Add(1)
				last = ref
			}
			done <- l.Wait(last)
		}()
		synctest.Wait()
		if n := appended.Load(); n > most || n < most-1 {
			t.Errorf("%d MiB were taken and cannot be written", n)
		}
		release()
		if err := <-done; err != nil {
			t.Error(err)
		}
		closed(t, l)
	})
}

// gated is a file system whose reads wait.
type gated struct {
	vfs.FS
	reading chan struct{} // gets a token when one begins
	gate    chan struct{}
}

type gatedFile struct {
	vfs.File
	fs *gated
}

func (g *gated) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	f, err := g.FS.OpenReadWrite(name, c, opts...)
	return &gatedFile{f, g}, err
}

func (f *gatedFile) ReadAt(p []byte, at int64) (int, error) {
	f.fs.reading <- struct{}{}
	<-f.fs.gate
	return f.File.ReadAt(p, at)
}

// TestHeld: the file of a segment that is released while it is read is used again
// only afterwards.
func TestHeld(t *testing.T) {
	t.Parallel()
	fs := &gated{newDisk(t), make(chan struct{}), make(chan struct{})}
	l, p := open(t, config(fs), newTape().marks())
	fill(t, l, p, 3)
	ref, want := p.places[2], payload(2)
	got, read := make([]byte, len(want)), make(chan error)
	go func() {
		_, err := l.ReadAt(got, len(got), ref)
		read <- err
	}()
	<-fs.reading
	for range 5 {
		if err := p.release(l); err != nil {
			t.Fatal(err)
		}
		fill(t, l, p, 10)
	}
	close(fs.gate)
	if err := <-read; err != nil || !bytes.Equal(got, want) {
		t.Errorf("read while it was released: %v", err)
	}
	closed(t, l)
}

// TestSkipped: a group that stands where another one was is damage, though it is whole.
func TestSkipped(t *testing.T) {
	t.Parallel()
	h := history{from: 1}.add(t, []byte("first"), false)
	short := h.add(t, []byte("short"), false)
	long := h.add(t, []byte("longer"), false).add(t, []byte("third"), false)
	copy(long.files[1][4096:8192], short.files[1][4096:])
	_, err := seglog.Scan(config(put(t, long.files)), 1, func(seglog.Record) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "follows one that ended at") {
		t.Errorf("a group in place of another one: %v", err)
	}
	if _, err := seglog.Scan(config(put(t, short.files)), 1, func(seglog.Record) error {
		return errDisk
	}); !errors.Is(err, errDisk) {
		t.Errorf("an error of who is shown records became %v", err)
	}
}

// TestReleaseAfterFailure: a log that failed lets go of nothing, since its writer may
// still be about what it was to release.
func TestReleaseAfterFailure(t *testing.T) {
	t.Parallel()
	disk := newDisk(t)
	l, p := open(t, config(disk), newTape().marks())
	fill(t, l, p, 1)
	disk.OnChange(func(c storetest.Change) error {
		if c.Op == "sync" {
			return errDisk
		}
		return nil
	})
	release := disk.Hold() // what is made ahead must not fail before there is a record
	second := l.Roll()
	_, err := p.append(l)
	release()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.wait(l); err == nil {
		t.Fatal("the disk did not fail")
	}
	before := l.Stats().Segments
	l.Release(second + 1)
	if n := l.Stats().Segments; n != before || n == 0 {
		t.Errorf("%d of %d segments are left", n, before)
	}
	closed(t, l)
}
