package seglog

import (
	"fmt"
	"io"
	"io/fs"
)

// ReadAt reads bytes from a place on in a record that was appended, or that Scan showed,
// and was not released: at least so many, and of what was written behind them as much as
// dst has room for. It does not check them.
func (l *Log) ReadAt(dst []byte, least int, at Ref) (n int, err error) {
	l.mu.Lock()
	if g := l.waiting(at); g != nil {
		defer l.mu.Unlock()
		if n = copy(dst, g.buf[at.Offset-g.head.offset:]); n < least {
			err = l.unread(at, io.ErrUnexpectedEOF)
		}
		return n, err
	}
	s := l.find(at.Segment)
	if s == nil {
		l.mu.Unlock()
		return 0, l.unread(at, fs.ErrNotExist)
	}
	s.users++
	n = int(min(int64(len(dst)), l.written(s)-int64(at.Offset)))
	l.mu.Unlock()
	defer l.drop(s)
	if n < least {
		return 0, l.unread(at, io.ErrUnexpectedEOF)
	}
	if n, err = s.file.ReadAt(dst[:n], int64(at.Offset)); err != nil {
		err = l.unread(at, err)
	}
	return n, err
}

// written is where the first group of a segment begins that may be being written, or
// else its end; mu is held.
func (l *Log) written(s *segment) int64 {
	for _, g := range l.queue {
		if g.head.segment == s.number {
			return int64(g.head.offset)
		}
	}
	return s.size
}

func (l *Log) unread(at Ref, err error) error {
	return fmt.Errorf("read %s at %d: %w", l.Path(at.Segment), at.Offset, err)
}
