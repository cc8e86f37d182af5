package embedded

import (
	"github.com/tidwall/btree"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// maxInline bounds the values that a table keeps in memory. They are what is
// written again and again, such as records of queues; of a larger value it keeps
// the place in the log.
const maxInline = 128

// tableDegree is half the children of a node of the trees: small enough that the
// nodes that a write copies behind a view are, large enough for few levels.
const tableDegree = 16

// A table is what batches changed in a shard since it was begun, in memory. What
// it does not know stands below it: in the table that is being flushed, and in
// Pebble. It is changed under the lock of its place; a view of it never changes.
type table struct {
	rows  *btree.Map[string, row]
	spans *btree.Map[string, string] // deleted ranges, from lower to upper bound; apart
	pos   store.Position             // of the last batch
}

// A row is what a table knows of a key.
type row struct {
	inline string     // with kind rowInline
	at     seglog.Ref // with kind rowLogged: where the value is
	size   uint32
	sum    uint32 // CRC-32C of it
	kind   rowKind
	fresh  bool // without the row, nothing below would be seen at the key
}

type rowKind uint8

const (
	rowDeleted rowKind = iota
	rowInline
	rowLogged
)

func newTable(pos store.Position) *table {
	return &table{
		rows:  btree.NewMap[string, row](tableDegree),
		spans: btree.NewMap[string, string](tableDegree),
		pos:   pos,
	}
}

// Keys of a group begin alike, such as those of the messages of a queue.
const (
	groupBytes = 9
	largeGroup = 1 << 20 // bytes in a table
)

func groupOf(key string) string { return key[:min(len(key), groupBytes)] }

// large reports whether there is much in the group that begins at key.
func (t *table) large(key string) bool {
	size := 0
	t.rows.Ascend(key, func(k string, r row) bool {
		same := groupOf(k) == groupOf(key)
		if same {
			size += len(k) + len(r.inline) + int(r.size)
		}
		return same && size < largeGroup
	})
	return size >= largeGroup
}

// view gives the table as it is now.
func (t *table) view() *table {
	return &table{rows: t.rows.Copy(), spans: t.spans.Copy(), pos: t.pos}
}

// count is the number of things to keep.
func (t *table) count() int { return t.rows.Len() + t.spans.Len() }

// set notes a value, which is head and tail together and stands in the log at at.
func (t *table) set(key string, head, tail []byte, at seglog.Ref, inserted bool) {
	r := row{kind: rowLogged, at: at}
	if n := len(head) + len(tail); n <= maxInline {
		r = row{kind: rowInline, inline: string(head) + string(tail)}
	} else {
		r.size, r.sum = uint32(n), checksum(head, tail)
	}
	if r.fresh = inserted; !inserted {
		_, r.fresh = t.covered(key)
	}
	if old, had := t.rows.Set(key, r); had && old.fresh != r.fresh {
		r.fresh = old.fresh
		t.rows.Set(key, r)
	}
}

// drop notes that a key has no value.
func (t *table) drop(key string) {
	if old, had := t.rows.Delete(key); had && old.fresh {
		return
	}
	if _, ok := t.covered(key); !ok {
		t.rows.Set(key, row{kind: rowDeleted})
	}
}

// dropRange notes that no key k with lower <= k < upper has a value.
func (t *table) dropRange(lower, upper string) {
	if lower >= upper {
		return
	}
	var keys []string
	t.rows.Ascend(lower, func(key string, _ row) bool {
		if key < upper {
			keys = append(keys, key)
		}
		return key < upper
	})
	for _, key := range keys {
		t.rows.Delete(key)
	}
	t.spans.Descend(lower, func(from, to string) bool {
		if lower <= to {
			lower, upper = from, max(to, upper)
		}
		return false
	})
	keys = keys[:0]
	t.spans.Ascend(lower, func(from, to string) bool {
		if from > upper {
			return false
		}
		keys, upper = append(keys, from), max(to, upper)
		return true
	})
	for _, key := range keys {
		t.spans.Delete(key)
	}
	t.spans.Set(lower, upper)
}

// covered reports whether key is in a deleted range, and where that ends.
func (t *table) covered(key string) (upper string, ok bool) {
	if t.spans.Len() > 0 {
		t.spans.Descend(key, func(_, to string) bool {
			upper, ok = to, key < to
			return false
		})
	}
	return upper, ok
}

// get gives what the table knows of a key; known is false when what is below it
// counts.
func (t *table) get(key string) (r row, known bool) {
	if r, known = t.rows.Get(key); known {
		return r, true
	}
	_, known = t.covered(key)
	return row{kind: rowDeleted}, known
}
