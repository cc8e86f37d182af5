package audit

import (
	"encoding/binary"
	"fmt"
	"sync"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// Ids of table [control.TableTree] in each shard that has a tree.
const (
	rowEdge = "edge"
	rowBorn = "born"
)

// A Tree grows over the events of one shard but shard 0, with the batches of the
// shard's one writer: Grow is called in the order in which they are proposed.
type Tree struct {
	id     store.ShardID
	sealer func() *seal.Epochs
	next   edge // behind what was given to Grow; of the writer alone

	mu      sync.Mutex
	durable edge
}

// openTree reads where the tree of a shard ends. A shard without one has an empty
// tree; found tells.
func openTree(sealer func() *seal.Epochs, snap store.Snapshot, id store.ShardID) (
	t *Tree, found bool, err error,
) {
	t = &Tree{id: id, sealer: sealer}
	text, found, err := t.get(snap, rowKey(control.TableTree, []byte(rowEdge)))
	if err == nil && found {
		t.next, err = parseEdge(text)
	}
	if err != nil {
		return nil, false, fmt.Errorf("open tree of shard %d: %w", id, err)
	}
	t.durable = t.next.clone()
	return t, found, nil
}

// Grow puts leaves behind those of the batches before, and what is stored of them
// into b, which holds their events. grown is called when b is durable, in the order
// of the batches. After an error the batch must not be proposed.
func (t *Tree) Grow(b *store.Batch, leaves []Leaf) (grown func(), err error) {
	if len(leaves) == 0 {
		return func() {}, nil
	}
	after := t.next.clone()
	for i := range leaves {
		after.add(leaves[i].hash(t.id))
	}
	if err := t.set(b, leafRow(t.next.size), encodeLeaves(leaves)); err != nil {
		return nil, err
	}
	if err := t.set(b, rowKey(control.TableTree, []byte(rowEdge)), after.encode()); err != nil {
		return nil, err
	}
	t.next = after.clone()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.durable = after
	}, nil
}

// end gives the edge behind all that is durable.
func (t *Tree) end() edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.durable.clone()
}

// leafRow is the store key of the row that begins with a leaf.
func leafRow(first uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(control.TableLeaf)}, first)
}

func (t *Tree) set(b *store.Batch, key, text []byte) error {
	box, err := t.sealer().SealBox(nil, boxAAD(t.id, key), text)
	if err != nil {
		return fmt.Errorf("seal tree of shard %d: %w", t.id, err)
	}
	b.Set(key, box)
	return nil
}

// renew writes the edge once more, for Grow's one caller.
func (t *Tree) renew(b *store.Batch) error {
	return t.set(b, rowKey(control.TableTree, []byte(rowEdge)), t.next.encode())
}

func (t *Tree) get(snap store.Snapshot, key []byte) (text []byte, found bool, err error) {
	box, found, err := snap.Get(key)
	if err != nil || !found {
		return nil, false, err
	}
	if text, err = t.sealer().OpenBox([]byte{}, boxAAD(t.id, key), box); err != nil {
		return nil, false, fmt.Errorf("%w: %s: %w", store.ErrDamaged, rowName(key), err)
	}
	return text, true, nil
}

// boxAAD binds a value to its shard and store key.
func boxAAD(id store.ShardID, key []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(id)), key...)
}

// rowName names a row in errors.
func rowName(key []byte) string {
	return fmt.Sprintf("%s entry %x", control.Table(key[0]), key[1:])
}
