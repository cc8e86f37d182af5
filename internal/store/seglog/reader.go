package seglog

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	maxSegment  = math.MaxUint32 // above the offset of every group
	windowBytes = 256 << 10      // read at once in search of a group
)

// A reader reads the groups of one segment.
type reader struct {
	s      *scanner
	number uint64
	file   vfs.File
	size   int64
}

func (s *scanner) open(segment uint64) (*reader, error) {
	f, err := s.cfg.FS.Open(s.path(segment))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.path(segment), err)
	}
	info, err := f.Stat()
	if err != nil {
		err = fmt.Errorf("look at %s: %w", s.path(segment), err)
		return nil, errors.Join(err, f.Close())
	}
	return &reader{s, segment, f, info.Size()}, nil
}

// read gives bytes of the file, fewer at its end, in the buffer of the scanner.
func (r *reader) read(at int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), r.size-at)))
	if cap(r.s.buf) < n {
		r.s.buf = make([]byte, max(n, page))
	}
	b := r.s.buf[:n]
	return b, r.fill(b, at)
}

// fill reads bytes that the file has.
func (r *reader) fill(b []byte, at int64) error {
	if n, err := r.file.ReadAt(b, at); err != nil && (!errors.Is(err, io.EOF) || n < len(b)) {
		return fmt.Errorf("read %s: %w", r.s.path(r.number), err)
	}
	return nil
}

// group reads the group at a place, with its head, up to its last record. It is nil
// when there is no whole one.
func (r *reader) group(at int64) (head, []byte, error) {
	h, b, err := r.any(at)
	if h.segment != r.number {
		b = nil
	}
	return h, b, err
}

// any is group for a group of any segment.
func (r *reader) any(at int64) (head, []byte, error) {
	b, err := r.read(at, page)
	if err != nil {
		return head{}, nil, err
	}
	h, ok := decodeHead(b)
	n := headSize + int64(h.length)
	if !ok || int64(h.offset) != at || at+n > r.size {
		return h, nil, nil
	}
	if n > int64(len(b)) {
		if b, err = r.read(at, int(n)); err != nil {
			return h, nil, err
		}
	}
	if !r.s.key.whole(h, b) {
		return h, nil, nil
	}
	return h, b[:n], nil
}

// find gives the place of the first whole group at or behind a place, or -1; other
// is the number of a segment of which there is a group in front of it.
func (r *reader) find(from int64) (at int64, other uint64, err error) {
	window := make([]byte, max(0, min(windowBytes, r.size-from)))
	for begin := pages(from); begin < min(r.size, maxSegment); begin += windowBytes {
		b := window[:min(int64(len(window)), r.size-begin)]
		if err := r.fill(b, begin); err != nil {
			return -1, other, err
		}
		for i := 0; i < len(b); i += page {
			if _, ok := decodeHead(b[i:]); !ok {
				continue
			}
			h, group, err := r.any(begin + int64(i))
			switch {
			case err != nil:
				return -1, other, err
			case group != nil && h.segment == r.number:
				return begin + int64(i), other, nil
			case group != nil:
				other = max(other, h.segment)
			}
		}
	}
	return -1, other, nil
}
