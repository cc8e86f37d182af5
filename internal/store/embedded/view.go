package embedded

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// A base is what the tables on the disk hold between two flushes. Whoever looks at
// the store holds one: with it goes the log behind it, whose files are not used
// again before it is let go.
type base struct {
	disk *pebble.Snapshot
	from uint64       // the first segment of the log that the disk does not make superfluous
	refs atomic.Int64 // of places and snapshots
}

// take holds the base for one more; somebody must hold it.
func (b *base) take() *base {
	b.refs.Add(1)
	return b
}

// letGo reports whether nobody holds the base any more.
func (b *base) letGo() bool { return b.refs.Add(-1) == 0 }

// A view is a shard at a position: what the active table does not know is in the
// one that is being flushed, if there is one, and what neither knows is on the disk.
type view struct {
	active, flushing *table
	base             *base
}

// tables gives those in memory, the newest first.
func (v *view) tables() []*table {
	if v.flushing == nil {
		return []*table{v.active}
	}
	return []*table{v.active, v.flushing}
}
