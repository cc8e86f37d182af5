package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// recovered is what a directory holds.
type recovered struct {
	disk   []store.Position // of the shards in the sorted tables, and in Pebble's log
	from   uint64           // the first segment of the log that has more
	tables []*table         // what the log has, by shard
	logged int64            // bytes of that
	end    seglog.End       // of the log
	last   string           // the file where the shards end
}

// at gives the position at which each shard will open.
func (r *recovered) at() []store.Position {
	at := make([]store.Position, len(r.tables))
	for i, t := range r.tables {
		at[i] = t.pos
	}
	return at
}

// verify reads the log and finds out, without changing a byte, whether everything
// acknowledged is there.
//
// What is lost in the list of tables, or of the end of the log, may look like the
// place where a crash stopped the store. So the batches are counted: the tables alone
// give a position for each shard, the log must continue from there without a gap,
// and must reach the floor.
func (e *Engine) verify(data string) (*recovered, error) {
	r := &recovered{}
	var err error
	if r.disk, r.from, err = e.onDisk(data); err != nil {
		return nil, unreadable(err, data)
	}
	if r.last, err = e.followPebblesLog(data, r.disk); err != nil {
		return nil, err
	}
	if err := e.replay(r); err != nil {
		return nil, err
	}
	for i, floor := range e.floor.at {
		if at := r.tables[i].pos; at.Less(floor) {
			return nil, fmt.Errorf("%w: %s: shard %d ends at %v, but %v was acknowledged; "+
				"nothing was changed, restore the directory from a backup",
				store.ErrDamaged, r.last, i, at, floor)
		}
	}
	return r, nil
}

// replay reads the log behind what is on the disk.
func (e *Engine) replay(r *recovered) (err error) {
	r.tables = nil
	for _, pos := range r.disk {
		r.tables = append(r.tables, newTable(pos))
	}
	r.end, err = seglog.Scan(e.logConfig(e.cfg.FS), r.from, func(rec seglog.Record) error {
		path := e.segment(rec.Segment)
		id, pos, effects, ok := parseRecordHead(rec.Payload)
		if !ok || int(id) >= len(r.tables) {
			return fmt.Errorf("%w: %s: a batch without a position", store.ErrDamaged, path)
		}
		t := r.tables[id]
		if !continues(t.pos, pos) {
			return lost(path, id, t.pos, pos)
		}
		t.pos = pos
		r.logged += int64(len(rec.Payload))
		at := seglog.Ref{Segment: rec.Segment, Offset: rec.Offset + recordHead}
		if !t.replay(effects, at) {
			return fmt.Errorf("%w: %s: a batch that is none", store.ErrDamaged, path)
		}
		return nil
	})
	if r.end.Segment() >= r.from {
		r.last = e.segment(r.end.Segment())
	}
	return err
}

// logConfig is that of the log, on a file system.
func (e *Engine) logConfig(on vfs.FS) seglog.Config {
	return seglog.Config{
		FS: on, Dir: e.path(logName), ID: e.identity.Incarnation,
		SegmentBytes: e.cfg.FlushBytes / segments,
	}
}

// lost is the error of a shard that goes on at next behind at.
func lost(path string, id store.ShardID, at, next store.Position) error {
	return fmt.Errorf("%w: %s: shard %d goes from %v to %v, batches between are lost; "+
		"nothing was changed, restore the directory from a backup",
		store.ErrDamaged, path, id, at, next)
}

// onDisk reads what the tables say, without any log: the positions, and where the log
// goes on.
func (e *Engine) onDisk(data string) (at []store.Position, from uint64, err error) {
	opts := e.options()
	opts.FS = withoutLogs{e.cfg.FS}
	opts.ReadOnly = true
	opts.CacheSize = 1 << 20
	db, err := pebble.Open(data, opts)
	if err != nil {
		return nil, 0, err
	}
	if err = e.checkFooters(db, data); err == nil {
		at, from, err = standing(db, e.identity.Shards)
	}
	return at, from, errors.Join(err, db.Close())
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

// continues reports whether a batch at next may follow one at pos: the next
// batch of the same owner, or the beginning of the next owner's epoch.
func continues(pos, next store.Position) bool {
	return next == store.Position{Epoch: pos.Epoch, Index: pos.Index + 1} ||
		next == store.Position{Epoch: pos.Epoch + 1, Index: pos.Index}
}

// standing reads the position of every shard, zero for one never written to, and the
// first segment of the log that is not in the tables.
func standing(r pebble.Reader, shards int) (at []store.Position, from uint64, err error) {
	at = make([]store.Position, shards)
	for i := range at {
		err := read(r, positionKey(store.ShardID(i)), func(value []byte) (ok bool) {
			at[i], ok = decodePosition(value)
			return ok
		})
		if err != nil {
			return nil, 0, err
		}
	}
	from = 1
	err = read(r, logKey(), func(value []byte) bool {
		if len(value) != 8 {
			return false
		}
		from = binary.BigEndian.Uint64(value)
		return from > 0
	})
	return at, from, err
}

// read gives the value at key to parse, if there is one.
func read(r pebble.Reader, key []byte, parse func(value []byte) bool) error {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !parse(value) {
		err = fmt.Errorf("%w: the value of %d bytes at %x is none that belongs there",
			store.ErrDamaged, len(value), key)
	}
	return errors.Join(err, closer.Close())
}
