package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// Checked is what a check read of a queue shard.
type Checked struct {
	Rows int64
	// What a crash or a deletion may leave. The process deletes it, so it is no damage.
	Leftover int64 // rows of queues and namespaces that are gone, references to nothing
	Orphans  int64 // bodies that no message needs
}

// Check reads every row of a queue shard of a stopped store once, in order, and looks
// up what each refers to. What is not as it was written goes to damaged, with what it
// is: each box opens at its place and names its record; what queue records count is
// there; what stands beside a message has one; what lies apart is whole as far as its
// clear headers tell. The messages themselves are not opened, which takes the key of
// their domain; dataKey is told of the data key that each names, and gives why it cannot
// be had, or nil. The memory it needs is that of the names of all queues, and bounded
// otherwise. The error ends the check: what cannot be read, or ctx.
func Check(
	ctx context.Context, state *control.Inspection, snap store.Snapshot, id store.ShardID,
	dataKey func(of NamespaceID, number uint32) error, damaged func(row string, err error),
) (sum Checked, err error) {
	c := &check{
		place: place{platform: state.Platform(), shard: id}, snap: snap, note: state.Note,
		dataKey: dataKey, damaged: damaged,
		known: map[queueID]knownQueue{}, namespaces: map[NamespaceID]struct{}{},
		bodies: map[bodyID]error{},
	}
	if err := c.load(state); err != nil {
		return c.sum, err
	}
	it := snap.Iter(nil, nil)
	var last []byte
	for it.Next() && ctx.Err() == nil {
		c.sum.Rows++
		last = append(last[:0], it.Key()...)
		c.row(last, it.Value())
	}
	if err = it.Err(); err != nil {
		err = fmt.Errorf("behind key %x: %w", last, err)
	} else if err = ctx.Err(); err == nil {
		c.endQueue()
		c.endBody()
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return c.sum, err
}

// check is one check of a shard.
type check struct {
	place
	snap    store.Snapshot
	note    func(box []byte) // [control.Inspection.Note]
	dataKey func(NamespaceID, uint32) error
	damaged func(row string, err error)
	sum     Checked
	plain   []byte

	known      map[queueID]knownQueue
	namespaces map[NamespaceID]struct{}

	queue  *queueCheck      // whose messages the walk is in
	bodies map[bodyID]error // what was found of those that were looked at
	body   bodyCheckpoint   // where the walk is in chunks and references
	to     store.ShardID    // of the last parcel
	parcel uint64           // its sequence
}

// knownQueue is what shard 0 knows of a queue.
type knownQueue struct {
	in     NamespaceID
	name   string
	max    uint8 // priority
	opened bool  // its row could be read
}

// load reads which queues and namespaces lie in the shard. What others have here is left
// over from a move, or a copy that one has not finished.
func (c *check) load(state *control.Inspection) error {
	err := state.Scan(control.TableBrokerMeta, func(row, v []byte) {
		if len(row) != len(namespaceRow(NamespaceID{})) || row[0] != 'n' {
			return
		}
		if p, err := parsePlacing(v, math.MaxUint16); err == nil && p.at == c.shard {
			c.namespaces[NamespaceID(row[1:])] = struct{}{}
		}
	})
	if err != nil {
		return err
	}
	return state.Scan(control.TableQueue, func(row, v []byte) {
		if len(row) != len(NamespaceID{})+8 {
			return // nobody finds it
		}
		if _, here := c.namespaces[NamespaceID(row[:len(NamespaceID{})])]; !here {
			return
		}
		k := knownQueue{in: NamespaceID(row[:len(NamespaceID{})])}
		if spec, err := parseQueueRow(v); err == nil {
			k.name, k.max, k.opened = spec.Name, spec.ranks(), true
		}
		c.known[queueID(binary.BigEndian.Uint64(row[len(NamespaceID{}):]))] = k
	})
}

// audited begins the keys of the audit trail's rows: 0x40 to 0x47.
const audited = 0x40

// row checks one row, and names it if that fails.
func (c *check) row(key, v []byte) {
	what, err := fmt.Sprintf("entry %x", key), error(nil)
	if begin, end, err := boxIn(append(key, 0), v); err == nil && key[0]&0xf8 != audited {
		c.note(v[begin:end])
	}
	switch class(append(key, 0)[0]) {
	case classRecord:
		what, err = c.record(key, v, what)
	case classClock:
		what, err = c.clock(key, v, what)
	case classDurable, classSpilled:
		what, err = c.ofQueue(key, v, what)
	case classBody:
		what, err = c.chunk(key, v, what)
	case classRef:
		err = c.reference(key, v)
	case classDedup:
		what, err = c.sighting(key, v, what)
	case classParcel:
		what, err = c.parcelRow(key, v, what)
	case classTaken:
		what, err = c.takenRow(key, v, what)
	case classCursor:
		what, err = c.cursor(key, v, what)
	default:
		if len(key) > 0 && key[0]&0xf8 == audited { // audit.CheckData looks at those
			c.sum.Rows--
			return
		}
		err = fmt.Errorf("not a class of this shard: %w", store.ErrDamaged)
	}
	if err != nil {
		c.report(what, err)
	}
}

func (c *check) report(what string, err error) {
	c.damaged(what, fmt.Errorf("%w: %w", store.ErrDamaged, err))
}

// open opens a box at its place.
func (c *check) open(key, box []byte) (err error) {
	c.plain, err = c.platform.OpenBox(c.plain[:0], c.at(key), box)
	return err
}

func (c *check) name(id queueID) string {
	if k := c.known[id]; k.opened {
		return fmt.Sprintf("queue %q (%d)", k.name, uint64(id))
	}
	return fmt.Sprintf("queue %d", uint64(id))
}

func (c *check) clock(key, v []byte, what string) (string, error) {
	if len(key) != clockKeySize {
		return what, seal.ErrFormat
	}
	what = fmt.Sprintf("clock of namespace %x", key[1:])
	if _, ok := c.namespaces[NamespaceID(key[1:])]; !ok {
		c.sum.Leftover++
		return what, nil
	}
	err := c.open(key, v)
	if err == nil {
		_, err = parseClock(c.plain)
	}
	return what, err
}

func (c *check) sighting(key, v []byte, what string) (string, error) {
	id, _, _, err := parseDedupKey(key)
	if err != nil {
		return what, err
	}
	what = "deduplication id of " + c.name(id)
	if _, ok := c.known[id]; !ok {
		c.sum.Leftover++
		return what, nil
	}
	if err = c.open(key, v); err == nil {
		_, err = parseSighting(c.plain)
	}
	return what, err
}

// parcelRow checks a parcel. Those to one shard have no holes between them.
func (c *check) parcelRow(key, v []byte, what string) (string, error) {
	to, seq, err := parseParcelKey(key)
	if err != nil {
		return what, err
	}
	what = fmt.Sprintf("parcel to shard %d, sequence %d", to, seq)
	if to == c.to && seq != c.parcel+1 {
		c.report(what, fmt.Errorf("the one before it is %d", c.parcel))
	}
	c.to, c.parcel = to, seq
	box, record, err := splitValue(v)
	if err == nil {
		err = c.open(key, box)
	}
	if err != nil {
		return what, err
	}
	p, err := parseParcel(c.plain, record)
	if err == nil {
		err = c.apart(p.message.apart, key)
	}
	if err == nil {
		err = c.keyOf(p.namespace, record)
	}
	return what, err
}

// keyOf tells of the data key of a record that was parsed.
func (c *check) keyOf(in NamespaceID, record []byte) error {
	h, err := seal.ParseRecord(record)
	if err != nil {
		return err
	}
	return c.dataKey(in, h.DataKey)
}

func (c *check) takenRow(key, v []byte, what string) (string, error) {
	of, err := parseTakenKey(key, c.shard)
	if err != nil {
		return what, err
	}
	what = fmt.Sprintf("sequence taken from shard %d, outbox for shard %d", of.from, of.slot)
	if err = c.open(key, v); err == nil {
		_, err = parseTaken(c.plain)
	}
	return what, err
}

// cursor checks how far a namespace was copied to this shard.
func (c *check) cursor(key, v []byte, what string) (string, error) {
	if len(key) != len(cursorKey(nil, NamespaceID{})) {
		return what, seal.ErrFormat
	}
	what = fmt.Sprintf("cursor of namespace %x", key[1:])
	err := c.open(key, v)
	if err == nil {
		_, _, err = parseCursor(c.plain)
	}
	return what, err
}
