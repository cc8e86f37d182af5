package seglog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// Steps in which files grow: they double between these bounds.
const (
	leastStep = 256 << 10
	mostStep  = 8 << 20
	zeroBytes = 256 << 10 // of one write
)

// A segment is a file of the log.
type segment struct {
	number uint64
	file   vfs.File
	size   int64 // bytes that were written, with zeros if nothing else, and synced; under mu

	users    int  // under mu: who reads the file or makes it grow
	released bool // under mu: the last user retires it
}

// Path is the name of the file of a segment.
func (l *Log) Path(n uint64) string { return Path(l.cfg.FS, l.cfg.Dir, n) }

// find gives a segment that has a file, or nil; mu is held.
func (l *Log) find(n uint64) *segment {
	if len(l.live) == 0 || n < l.live[0].number || n >= l.next {
		return nil
	}
	return l.live[n-l.live[0].number]
}

// adopt opens the files of the segments up to end, makes the last of these durable
// as Scan read it, and notes the other files as spare ones.
func (l *Log) adopt(end End) error {
	fsys := l.cfg.FS
	if end.at.end == 0 { // else the folder is durable
		if err := fsys.MkdirAll(l.cfg.Dir, 0o700); err != nil {
			return err
		}
		if err := l.syncDir(fsys.PathDir(l.cfg.Dir)); err != nil {
			return err
		}
	}
	numbers, err := list(fsys, l.cfg.Dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n < end.first || n > end.at.segment {
			l.spares = append(l.spares, n)
		} else if err := l.load(n, l.openWrite); err != nil {
			return err
		}
	}
	slices.Reverse(l.spares) // the one behind the end has the right name already
	for len(l.spares) > maxSpares {
		n := len(l.spares) - 1
		l.remove(l.spares[n])
		l.spares = l.spares[:n]
	}
	if s := l.find(end.at.segment); s != nil {
		if err := l.confirm(s, end); err != nil {
			return fmt.Errorf("%s: %w", l.Path(s.number), err)
		}
	}
	return l.syncDir(l.cfg.Dir)
}

// load opens the file of the segment behind those that are open.
func (l *Log) load(n uint64, open func(string, ...vfs.OpenOption) (vfs.File, error)) error {
	f, err := open(l.Path(n))
	if err != nil {
		return err
	}
	s := &segment{number: n, file: f}
	l.live = append(l.live, s)
	s.size, err = length(f)
	return err
}

// openWrite makes the file when it is missing.
func (l *Log) openWrite(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return l.cfg.FS.OpenReadWrite(name, vfs.WriteCategoryUnspecified, opts...)
}

// confirm writes the last group once more, with the same bytes, and syncs it. It may
// have been read from pages of the system that never reached the disk.
func (l *Log) confirm(s *segment, end End) error {
	b := make([]byte, end.at.end-int64(end.group))
	if _, err := s.file.ReadAt(b, int64(end.group)); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(b, int64(end.group)); err != nil {
		return err
	}
	return s.file.Sync()
}

func length(f vfs.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (l *Log) syncDir(dir string) error {
	d, err := l.cfg.FS.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove drops a file. One that stays is no loss.
func (l *Log) remove(n uint64) { _ = l.cfg.FS.Remove(l.Path(n)) }

// Ahead is the category under which files are opened to make them longer than they
// must be yet. A file system may refuse that with an error that [store.Full] knows: the
// log does without then.
const Ahead = vfs.DiskWriteCategory("log-ahead")

// provide gives the file of a segment when it has at least this size. It begins
// those before, too.
func (l *Log) provide(n uint64, size int64) (*segment, error) {
	l.mu.Lock()
	s := l.find(n)
	ready := s != nil && s.size >= size
	l.mu.Unlock()
	if ready {
		return s, nil
	}
	l.files <- struct{}{}
	defer func() { <-l.files }()
	for l.next <= n {
		if err := l.begin(vfs.WriteCategoryUnspecified); err != nil {
			return nil, err
		}
	}
	s = l.hold(n) // what is to be written to is not released
	defer l.drop(s)
	err := l.lengthen(s)
	if err == nil || store.Full(err) {
		err = l.grow(s, pages(size), vfs.WriteCategoryUnspecified)
	}
	return s, err
}

// begin gives the next segment a file, durably. files is held.
func (l *Log) begin(c vfs.DiskWriteCategory) error {
	n := l.next
	name := l.Path(n)
	if spare, ok := l.spare(n); ok && spare != n {
		if err := l.cfg.FS.Rename(l.Path(spare), name); err != nil {
			return fmt.Errorf("rename %s to %s: %w", l.Path(spare), name, err)
		}
	}
	size, err := l.make(name, c)
	if err == nil {
		err = l.syncDir(l.cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("begin %s: %w", name, err)
	}
	f, err := l.openWrite(name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = append(l.live, &segment{number: n, file: f, size: size})
	l.next++
	return nil
}

// make makes a file when it is missing, and gives the size of one that is there.
func (l *Log) make(name string, c vfs.DiskWriteCategory) (size int64, err error) {
	f, err := l.cfg.FS.OpenReadWrite(name, c)
	if err != nil {
		return 0, err
	}
	if size, err = length(f); err == nil && size > 0 {
		err = f.Sync() // a process before may have died while it grew
	}
	return size, errors.Join(err, f.Close())
}

// spare takes a file to use again, that with this number if there is one.
func (l *Log) spare(n uint64) (uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spares) == 0 {
		return 0, false
	}
	i := max(0, slices.Index(l.spares, n))
	n = l.spares[i]
	l.spares = slices.Delete(l.spares, i, i+1)
	return n, true
}

// lengthen fills a file with zeros by a step, as far as there is room. files is held.
func (l *Log) lengthen(s *segment) error {
	to := min(s.size+min(max(s.size, leastStep), mostStep), l.cfg.SegmentBytes)
	return l.grow(s, to, Ahead)
}

// grow fills a file with zeros up to a size and syncs it. What it did before an error
// counts. files is held.
func (l *Log) grow(s *segment, to int64, c vfs.DiskWriteCategory) error {
	if s.size >= to {
		return nil
	}
	name := l.Path(s.number)
	f, err := l.cfg.FS.OpenReadWrite(name, c)
	if err != nil {
		return fmt.Errorf("grow %s: %w", name, err)
	}
	zeros, at := make([]byte, min(to-s.size, zeroBytes)), s.size
	for at < to && err == nil {
		var n int
		n, err = f.WriteAt(zeros[:min(to-at, zeroBytes)], at)
		at += int64(n)
	}
	if at > s.size {
		if failed := f.Sync(); failed != nil {
			return errors.Join(fmt.Errorf("sync %s: %w", name, failed), f.Close())
		}
		l.mu.Lock()
		s.size = at
		l.mu.Unlock()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("grow %s: %w", name, err)
	}
	return nil
}

// short reports whether the writer will soon need what it has no file for; mu is held.
func (l *Log) short() bool {
	cur := l.find(l.tail.segment)
	switch {
	case l.failed:
		return false
	case l.rolled:
		return l.next <= l.tail.segment+1
	case cur == nil:
		return true
	}
	return cur.size < l.cfg.SegmentBytes && l.tail.end > cur.size/2 ||
		l.next <= l.tail.segment+1 && l.tail.end > l.cfg.SegmentBytes/2
}

// hurry lets the helper look.
func (l *Log) hurry() {
	select {
	case l.behind <- struct{}{}:
	default:
	}
}

// help keeps files ahead of the writer, as far as there is room, until the log is closed.
func (l *Log) help() {
	for {
		select {
		case <-l.stop:
			return
		case <-l.behind:
		}
		if err := l.ahead(); err != nil && !store.Full(err) {
			l.fail(err)
			return
		}
	}
}

// ahead makes what short misses: of the segment that is written to, and of the next.
func (l *Log) ahead() error {
	l.files <- struct{}{}
	defer func() { <-l.files }()
	l.mu.Lock()
	short, n, used := l.short(), l.tail.segment, l.tail.end
	last := n
	if l.rolled {
		n, used = n+1, 0
	}
	if l.rolled || used > l.cfg.SegmentBytes/2 {
		last++
	}
	l.mu.Unlock()
	for ; short && n <= last; n, used = n+1, 0 {
		for l.next <= n {
			if err := l.begin(Ahead); err != nil {
				return err
			}
		}
		s := l.hold(n)
		if s == nil {
			continue // it was written to and released meanwhile
		}
		var err error
		if s.size == 0 || s.size < 2*used {
			err = l.lengthen(s)
		}
		l.drop(s)
		if err != nil {
			return err
		}
	}
	return nil
}
