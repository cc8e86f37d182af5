package broker

import (
	"context"
	"encoding/binary"
	"fmt"

	"coffer/internal/control"
	"coffer/internal/store"
)

// location is where a namespace lies.
type location struct {
	at *shard
	// slot is the shard that it was made in: all parcels to it go into the outboxes for
	// that one, wherever it lies, so that they keep their order.
	slot *shard
}

// layout is what shard 0 says about where things lie.
type layout struct {
	namespaces map[NamespaceID]placing
	queues     map[queueID]NamespaceID
	moves      map[NamespaceID]moving
}

// placing is a location as it is stored.
type placing struct{ at, slot store.ShardID }

// moving is how far the move of a namespace is, as it is stored.
type moving struct {
	phase byte
	shard store.ShardID // copying: the target; erasing: the source
}

// The phases of a move.
const (
	phaseCopying = 1
	phaseErasing = 2
)

const placingVersion = 2

// append writes version (1), shard (2), and unless it is the same, slot (2).
func (p placing) append(dst []byte) []byte {
	if p.at == p.slot {
		return binary.BigEndian.AppendUint16(append(dst, rowVersion), uint16(p.at))
	}
	dst = binary.BigEndian.AppendUint16(append(dst, placingVersion), uint16(p.at))
	return binary.BigEndian.AppendUint16(dst, uint16(p.slot))
}

// parsePlacing reads the row of a namespace in a store with so many queue shards.
func parsePlacing(v []byte, shards int) (p placing, err error) {
	r := rowParser{rest: v}
	version := r.byte()
	p.at = store.ShardID(r.uint16())
	p.slot = p.at
	switch version {
	case rowVersion:
	case placingVersion:
		p.slot = store.ShardID(r.uint16())
		r.failed = r.failed || p.slot == p.at
	default:
		r.failed = true
	}
	for _, id := range [...]store.ShardID{p.at, p.slot} {
		r.failed = r.failed || id < 1 || int(id) > shards
	}
	return p, r.end("namespace")
}

// append writes version (1), phase (1), shard (2).
func (m moving) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint16(append(dst, rowVersion, m.phase), uint16(m.shard))
}

func parseMoving(v []byte, shards int) (m moving, err error) {
	r := rowParser{rest: v}
	r.version()
	m.phase = r.byte()
	m.shard = store.ShardID(r.uint16())
	r.failed = r.failed || m.phase < phaseCopying || m.phase > phaseErasing ||
		m.shard < 1 || int(m.shard) > shards
	return m, r.end("move of a namespace")
}

func movingRow(id NamespaceID) []byte { return append([]byte("m"), id[:]...) }

// layout reads where all namespaces and their queues lie.
func (c *Core) layout(ctx context.Context) (*layout, error) {
	l := &layout{
		namespaces: map[NamespaceID]placing{}, queues: map[queueID]NamespaceID{},
		moves: map[NamespaceID]moving{},
	}
	err := c.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		for prefix, take := range map[string]func(NamespaceID, []byte) error{
			"n": l.takePlacing(len(c.cfg.Shards)), "m": l.takeMoving(len(c.cfg.Shards)),
		} {
			err := tx.Scan(control.TableBrokerMeta, []byte(prefix), func(row, v []byte) error {
				if len(row) != 1+len(NamespaceID{}) {
					return fmt.Errorf("%w: key of namespace %x", store.ErrDamaged, row)
				}
				return take(NamespaceID(row[1:]), v)
			})
			if err != nil {
				return err
			}
		}
		return tx.Scan(control.TableQueue, nil, func(row, _ []byte) error {
			if len(row) != len(NamespaceID{})+8 {
				return fmt.Errorf("%w: key of queue %x", store.ErrDamaged, row)
			}
			id := queueID(binary.BigEndian.Uint64(row[len(NamespaceID{}):]))
			l.queues[id] = NamespaceID(row[:len(NamespaceID{})])
			return nil
		})
	})
	return l, err
}

func (l *layout) takePlacing(shards int) func(NamespaceID, []byte) error {
	return func(id NamespaceID, v []byte) (err error) {
		l.namespaces[id], err = parsePlacing(v, shards)
		return err
	}
}

func (l *layout) takeMoving(shards int) func(NamespaceID, []byte) error {
	return func(id NamespaceID, v []byte) (err error) {
		l.moves[id], err = parseMoving(v, shards)
		return err
	}
}

// owns reports whether a queue lies in a shard; comes, whether it is being copied
// there.
func (l *layout) owns(id queueID, at store.ShardID) (owns, comes bool) {
	n, ok := l.queues[id]
	if !ok {
		return false, false
	}
	return l.namespaces[n].at == at, l.comes(n, at)
}

// comes reports whether a namespace is being copied to a shard.
func (l *layout) comes(id NamespaceID, at store.ShardID) bool {
	return l.moves[id] == moving{phaseCopying, at}
}

// settle notes where the namespaces lie, once there are shards.
func (c *Core) settle(l *layout) {
	for id, p := range l.namespaces {
		c.existing[id] = location{c.shards[p.at-1], c.shards[p.slot-1]}
	}
}

// locate gives where a namespace lies; false when there is none.
func (c *Core) locate(tx *control.Tx, id NamespaceID) (at location, ok bool, err error) {
	v, ok, err := tx.Get(control.TableBrokerMeta, namespaceRow(id))
	if err != nil || !ok {
		return at, false, err
	}
	p, err := parsePlacing(v, len(c.shards))
	if err != nil {
		return at, false, fmt.Errorf("namespace %x: %w", id, err)
	}
	return location{c.shards[p.at-1], c.shards[p.slot-1]}, true, nil
}

// beingMoved reports whether a move of the namespace is under way.
func beingMoved(tx *control.Tx, id NamespaceID) (bool, error) {
	_, ok, err := tx.Get(control.TableBrokerMeta, movingRow(id))
	return ok, err
}

// ShardOf gives the queue shard in which a namespace lies, from 1 on, and whether it is
// being moved to another one; 0 when there is no such namespace.
func (c *Core) ShardOf(id NamespaceID) (shard int, moving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.existing[id]; ok {
		shard = int(x.at.id)
	}
	return shard, c.moving[id] != nil
}

// Spread gives the number of namespaces in each queue shard, the first one's first.
func (c *Core) Spread() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]int, len(c.shards))
	for _, x := range c.existing {
		list[x.at.id-1]++
	}
	return list
}
