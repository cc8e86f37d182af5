package embedded

import (
	"fmt"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// Bounds of what a window reads at once.
const (
	nearBytes   = 1 << 10  // values that are no farther apart follow each other
	firstWindow = 16 << 10 // when the second of such values is read
	mostWindow  = 64 << 10 // unless a value is larger
)

// A window reads values of rows in the order of their keys. Those of one publisher lie
// behind each other in the log for a while: of them it reads more and more at once.
type window struct {
	place  *place
	at     seglog.Ref // of the first of bytes
	bytes  []byte
	end    int // in bytes, of the last value that was asked for
	size   int // of what was read at once
	inline []byte
}

// value gives the value of a row, which is valid until the next call.
func (w *window) value(r row) ([]byte, error) {
	if r.kind == rowInline {
		w.inline = append(w.inline[:0], r.inline...)
		return w.inline, nil
	}
	from := int(r.at.Offset) - int(w.at.Offset)
	if r.at.Segment != w.at.Segment || from < 0 || from+int(r.size) > len(w.bytes) {
		near := r.at.Segment == w.at.Segment && from >= w.end && from <= w.end+nearBytes
		if err := w.read(r, near); err != nil {
			return nil, fmt.Errorf("read shard %d: %w", w.place.id, err)
		}
		from = 0
	}
	w.end = from + int(r.size)
	v := w.bytes[from:w.end:w.end]
	if checksum(v) != r.sum {
		return nil, fmt.Errorf("read shard %d: %w: %s: %d bytes at %d are not as they were written",
			w.place.id, store.ErrDamaged, w.place.engine.segment(r.at.Segment), r.size, r.at.Offset)
	}
	return v, nil
}

// read reads a value, and when it is near the one before also what follows it.
func (w *window) read(r row, near bool) error {
	if near {
		w.size = min(max(2*w.size, firstWindow), mostWindow)
	} else {
		w.size = 0
	}
	n := max(int(r.size), w.size)
	if cap(w.bytes) < n {
		w.bytes = make([]byte, n)
	}
	n, err := w.place.engine.log.ReadAt(w.bytes[:n], int(r.size), r.at)
	w.at, w.bytes, w.end = r.at, w.bytes[:n], 0
	return err
}
