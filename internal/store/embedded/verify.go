package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"coffer/internal/store"
)

// batchHead is the bytes of a batch of Pebble up to the end of its first
// effect: twelve of header, the kind, the key and the value with their lengths.
const batchHead = 12 + 1 + 1 + prefixLen + 1 + 16

// verify finds out, without changing a byte, whether everything acknowledged
// is there, and gives the position at which each shard will open.
//
// Pebble takes damage at the end of its log, or anywhere in its list of
// tables, for the place where a crash stopped it, goes on without what came
// after, and deletes the files that it no longer knows. So the batches are
// counted: the tables alone give a position for each shard, the logs must
// continue from there without a gap, and must reach the floor.
func (e *Engine) verify(data string) ([]store.Position, error) {
	at, last, err := e.replay(data)
	if err != nil {
		return nil, err
	}
	for i, floor := range e.floor.at {
		if at[i].Less(floor) {
			return nil, fmt.Errorf("%w: %s: shard %d ends at %v, but %v was acknowledged; "+
				"nothing was changed, restore the directory from a backup",
				store.ErrDamaged, last, i, at[i], floor)
		}
	}
	return at, nil
}

// replay gives the position at which each shard in data will open, and the file
// where they end.
func (e *Engine) replay(data string) (at []store.Position, last string, err error) {
	at, err = e.tablePositions(data)
	if err != nil {
		return nil, "", unreadable(err, data)
	}
	logs, err := wal.Scan(wal.Dir{FS: e.cfg.FS, Dirname: data})
	if err != nil {
		return nil, "", fmt.Errorf("list logs in %s: %w", data, err)
	}
	last = data
	for _, log := range logs {
		_, path := log.SegmentLocation(log.NumSegments() - 1)
		if err := follow(log, path, at); err != nil {
			return nil, "", err
		}
		last = path
	}
	return at, last, nil
}

// tablePositions reads the positions that the tables hold, without the logs.
func (e *Engine) tablePositions(data string) ([]store.Position, error) {
	opts := e.options()
	opts.FS = withoutLogs{e.cfg.FS}
	opts.ReadOnly = true
	opts.CacheSize = 1 << 20
	db, err := pebble.Open(data, opts)
	if err != nil {
		return nil, err
	}
	var at []store.Position
	if err = e.checkFooters(db, data); err == nil {
		at, err = positions(db, e.identity.Shards)
	}
	return at, errors.Join(err, db.Close())
}

// unreadable tells tables and lists that are missing or do not fit each other,
// which Pebble reports in many ways, from a file system that does not answer.
func unreadable(err error, data string) error {
	var no syscall.Errno
	if !errors.Is(err, fs.ErrNotExist) && errors.As(err, &no) {
		return fmt.Errorf("read %s: %w", data, err)
	}
	if pebble.IsCorruptionError(err) {
		return damage(err, data)
	}
	return damaged(data, err)
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
			return fmt.Errorf("%w: %s: shard %d goes from %v to %v, batches between are lost; "+
				"nothing was changed, restore the directory from a backup",
				store.ErrDamaged, path, id, at[id], pos)
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

// continues reports whether a batch at next may follow one at pos: the next
// batch of the same owner, or the beginning of the next owner's epoch.
func continues(pos, next store.Position) bool {
	return next == store.Position{Epoch: pos.Epoch, Index: pos.Index + 1} ||
		next == store.Position{Epoch: pos.Epoch + 1, Index: pos.Index}
}

// positions reads the position of every shard; a shard never written to is at
// zero.
func positions(r pebble.Reader, shards int) ([]store.Position, error) {
	at := make([]store.Position, shards)
	for i := range at {
		var err error
		if at[i], err = position(r, store.ShardID(i)); err != nil {
			return nil, err
		}
	}
	return at, nil
}

func position(r pebble.Reader, id store.ShardID) (store.Position, error) {
	value, closer, err := r.Get(positionKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return store.Position{}, nil
	}
	if err != nil {
		return store.Position{}, err
	}
	pos, ok := decodePosition(value)
	if !ok {
		err = fmt.Errorf("%w: position of shard %d has %d bytes",
			store.ErrDamaged, id, len(value))
	}
	return pos, errors.Join(err, closer.Close())
}
