package embedded

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"coffer/internal/store"
)

// ownLog is the first format in which the store has a log of its own. Before, it was
// Pebble's, in the folder of the tables.
const ownLog = 3

// batchHead is the bytes of a batch of Pebble up to the end of its first
// effect: twelve of header, the kind, the key and the value with their lengths.
const batchHead = 12 + 1 + 1 + prefixLen + 1 + 16

// inPebblesLog reports whether Pebble's log may hold batches: in an older format, and
// until an upgrade of one is ended.
func (e *Engine) inPebblesLog() bool {
	return e.label.format < ownLog || e.label.upgrading != 0 && e.label.upgrading < ownLog
}

// followPebblesLog moves the positions along the batches of the log that Pebble kept,
// and gives its last file. Where it may hold none, one that does was put there.
//
// Pebble takes damage at the end of its log for the place where a crash stopped it.
// So the batches are counted: they must continue without a gap from the positions that
// the tables have, and the floor says how far.
func (e *Engine) followPebblesLog(data string, at []store.Position) (last string, err error) {
	logs, err := wal.Scan(wal.Dir{FS: e.cfg.FS, Dirname: data})
	if err != nil {
		return "", fmt.Errorf("list logs in %s: %w", data, err)
	}
	last = data
	for _, log := range logs {
		_, path := log.SegmentLocation(log.NumSegments() - 1)
		if !e.inPebblesLog() {
			if err := empty(log, path); err != nil {
				return "", err
			}
			continue
		}
		if err := follow(log, path, at); err != nil {
			return "", err
		}
		last = path
	}
	return last, nil
}

// empty fails when a log holds something.
func empty(log wal.LogicalLog, path string) error {
	r := log.OpenForRead()
	defer r.Close() // only read from
	if _, _, err := r.NextRecord(); err != nil {
		return nil
	}
	return fmt.Errorf("%w: %s: batches of an older format; nothing was changed, "+
		"restore the directory from a backup", store.ErrDamaged, path)
}

// takePebblesLog brings what is in Pebble's log into tables.
func (e *Engine) takePebblesLog(data string) error {
	opts := e.options()
	opts.DisableWAL = false
	db, err := pebble.Open(data, opts)
	if err != nil {
		return damage(err, data)
	}
	return errors.Join(db.Flush(), db.Close(), e.dead())
}

// withoutLogs is a file system that shows no log files.
type withoutLogs struct{ vfs.FS }

func (w withoutLogs) List(dir string) ([]string, error) {
	names, err := w.FS.List(dir)
	var kept []string
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			kept = append(kept, name)
		}
	}
	return kept, err
}

// follow moves the positions along the batches of one log file. Batches that
// the tables hold already are passed over. An unclean end is left to what
// follows: a later log that does not continue, or the floor.
func follow(log wal.LogicalLog, path string, at []store.Position) error {
	r := log.OpenForRead()
	defer r.Close() // only read from
	var head [batchHead]byte
	for {
		record, _, err := r.NextRecord() // has checked every byte of it
		if err != nil {
			return nil
		}
		if _, err := io.ReadFull(record, head[:]); err != nil {
			return fmt.Errorf("%w: %s: a batch without a position", store.ErrDamaged, path)
		}
		id, pos, ok := batchPosition(head[:])
		if !ok || int(id) >= len(at) {
			return fmt.Errorf("%w: %s: a batch without a position", store.ErrDamaged, path)
		}
		if !at[id].Less(pos) {
			continue
		}
		if !continues(at[id], pos) {
			return lost(path, id, at[id], pos)
		}
		at[id] = pos
	}
}

// batchPosition reads the first effect of a batch of Pebble.
func batchPosition(repr []byte) (store.ShardID, store.Position, bool) {
	r := batchrepr.Read(repr)
	kind, key, value, ok, err := r.Next()
	if err != nil || !ok || kind != pebble.InternalKeyKindSet {
		return 0, store.Position{}, false
	}
	id, ok := parsePositionKey(key)
	if !ok {
		return 0, store.Position{}, false
	}
	pos, ok := decodePosition(value)
	return id, pos, ok
}
