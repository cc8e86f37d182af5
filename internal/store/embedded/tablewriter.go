package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// incomingName is the folder of tables that are not Pebble's yet. What is in it at a
// start is without meaning.
const incomingName = "incoming"

// syncEvery is how many bytes of a table are written before the system is asked to
// begin to bring them to the disk: a sync of all at once would keep the log waiting.
const syncEvery = 512 << 10

// tableWriter writes tables in memory, in the order of the keys, as sorted tables that
// do not overlap.
type tableWriter struct {
	engine  *Engine
	opts    *pebble.Options
	size    uint64 // of a table, about
	paths   []string
	written int64
	table   *sstable.Writer // nil before the first row
	spans   []span          // of one shard, whose turn comes
	group   string          // of the row before
	apart   bool            // that is a large one
	key     []byte
	window  window // of one shard
}

// span is a deleted range.
type span struct{ lower, upper []byte }

func newTableWriter(e *Engine, size uint64) *tableWriter {
	opts := e.options()
	opts.EnsureDefaults()
	return &tableWriter{engine: e, opts: opts, size: size}
}

// shard writes what a table has; disk is what is below it. Ranges that delete nothing
// there are left out; one in which something cannot be read may delete that.
func (w *tableWriter) shard(id store.ShardID, t *table, disk *pebble.Snapshot) error {
	if err := w.set(positionKey(id), appendPosition(nil, t.pos)); err != nil {
		return err
	}
	w.window.place, w.group, w.apart = w.engine.places[id], "", false
	bounds := &pebble.IterOptions{LowerBound: dataKey(id, nil), UpperBound: dataEnd(id)}
	it, err := disk.NewIter(bounds)
	if err != nil {
		return err
	}
	defer it.Close() // its errors were looked at
	t.spans.Scan(func(lower, upper string) bool {
		s := span{dataKey(id, []byte(lower)), dataKey(id, []byte(upper))}
		if it.SeekGE(s.lower) && bytes.Compare(it.Key(), s.upper) < 0 || it.Error() != nil {
			w.spans = append(w.spans, s)
		}
		return true
	})
	rows := t.rows.Iter()
	for ok := rows.First(); ok; ok = rows.Next() {
		w.key = append(w.key[:0], 0, 0, 0)
		putPrefix(w.key, id, kindData)
		w.key = append(w.key, rows.Key()...)
		if err := w.divide(t, rows.Key()); err != nil {
			return err
		}
		if err := w.row(id, rows.Value()); err != nil {
			return err
		}
	}
	if err := w.emitSpans(nil); err != nil || !w.apart {
		return err
	}
	return w.endTable()
}

// divide ends a table before a row when a large group of keys ends or begins there. What
// a later flush adds at the end of that group lies between no keys of a table then, so
// that Pebble takes it beside what it has, instead of writing both again.
func (w *tableWriter) divide(t *table, key string) error {
	if groupOf(key) == w.group || w.size == math.MaxUint64 {
		return nil
	}
	was := w.apart
	w.group, w.apart = groupOf(key), t.large(key)
	if !was && !w.apart {
		return nil
	}
	if err := w.nextTable(w.key); err != nil {
		return err
	}
	return w.beginTable()
}

// row writes one row, at w.key. Whether the disk has a key that was deleted is not looked up: it
// would cost more than a mark too many.
func (w *tableWriter) row(id store.ShardID, r row) error {
	if r.kind == rowDeleted {
		return w.table.Delete(w.key)
	}
	value, err := w.live(r)
	if err != nil {
		return err
	}
	return w.set(w.key, value)
}

// set writes a value, in the next table where the present one is large enough.
func (w *tableWriter) set(key, value []byte) error {
	if w.table != nil && w.table.Raw().EstimatedSize() >= w.size {
		if err := w.nextTable(key); err != nil {
			return err
		}
	}
	if w.table == nil {
		if err := w.beginTable(); err != nil {
			return err
		}
	}
	return w.table.Set(key, value)
}

// nextTable ends a table, which has all below key.
func (w *tableWriter) nextTable(key []byte) error {
	if err := w.emitSpans(key); err != nil {
		return err
	}
	return w.endTable()
}

// emitSpans writes the deleted ranges as far as they are below end; nil means no end.
func (w *tableWriter) emitSpans(end []byte) error {
	for len(w.spans) > 0 {
		s := w.spans[0]
		if end != nil && bytes.Compare(s.lower, end) >= 0 {
			return nil
		}
		if end != nil && bytes.Compare(end, s.upper) < 0 {
			w.spans[0].lower = bytes.Clone(end)
			return w.table.DeleteRange(s.lower, end)
		}
		if err := w.table.DeleteRange(s.lower, s.upper); err != nil {
			return err
		}
		w.spans = w.spans[1:]
	}
	return nil
}

func (w *tableWriter) beginTable() error {
	e := w.engine
	path := e.path(incomingName, fmt.Sprintf("%06d.sst", len(w.paths)))
	f, err := e.guard.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: syncEvery})
	w.paths = append(w.paths, path)
	format := e.db.FormatMajorVersion().MaxTableFormat()
	w.table = sstable.NewWriter(objstorageprovider.NewFileWritable(f),
		w.opts.MakeWriterOptions(0, format))
	return nil
}

// endTable makes the present table durable.
func (w *tableWriter) endTable() error {
	if err := w.table.Close(); err != nil {
		return fmt.Errorf("write %s: %w", w.paths[len(w.paths)-1], err)
	}
	meta, err := w.table.Metadata()
	if err != nil {
		return err
	}
	w.written += int64(meta.Size)
	w.table = nil
	return nil
}

// finish notes where the log begins that is not in the tables, and ends the last one.
func (w *tableWriter) finish(from uint64) error {
	if err := w.set(logKey(), binary.BigEndian.AppendUint64(nil, from)); err != nil {
		return err
	}
	return w.endTable()
}
