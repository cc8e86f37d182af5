package embedded

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// lostValue stands in a table for a value that the log did not hold as it was written any more
// when a flush came. It is random, so that no value of a shard is equal.
const lostValue = "\x17\xdf\xf8\xdf\xf7\x7a\x54\xde\x87\xac\xed\xb4\xd6\x6c\x25\x03" +
	"\x23\xf5\xc6\x72\x3b\xce\xea\xf3\xa0\x70\x69\xea\x11\xa2\x88\xc1"

// found refuses a value of a table that stands for a lost one.
func (p *place) found(value []byte) error {
	if string(value) != lostValue {
		return nil
	}
	return fmt.Errorf("read shard %d: %w: the value was lost when it was brought from the log "+
		"to a table", p.id, store.ErrDamaged)
}

// live gives what a flush writes of a row: the value or, if that is damaged, what stands
// for it. The segment is set aside then, as a copy, because the log uses its file again.
func (w *tableWriter) live(r row) ([]byte, error) {
	value, err := w.window.value(r)
	if !errors.Is(err, store.ErrDamaged) {
		return value, err
	}
	e := w.engine
	e.quarantine.keep(e.segment(r.at.Segment), err, vfs.Copy)
	return []byte(lostValue), nil
}
