package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/control"
	"coffer/internal/store"
)

// treeVerify is the verification of one shard.
type treeVerify struct {
	v     *verify
	id    store.ShardID
	tree  *Tree // opens rows
	snap  store.Snapshot
	proof TreeProof

	grown   edge
	present int64 // leaves whose events are there
	targets []target
	signed  uint64    // leaves of the last target that fitted
	at      time.Time // of the last leaf
}

// shard verifies the tree of a shard that has one, or should.
func (v *verify) shard(ctx context.Context, id store.ShardID) (err error) {
	snap := v.cfg.Open(id)
	defer func() { err = errors.Join(err, snap.Close()) }()
	t := &treeVerify{v: v, id: id, snap: snap, targets: v.targets[id],
		tree: &Tree{id: id, sealer: v.cfg.State.Platform}, proof: TreeProof{Shard: id}}
	slices.SortStableFunc(t.targets, bySize)
	born, there, err := t.born()
	if err != nil || !there {
		return err
	}
	t.proof.Since, t.proof.Adopted = born.Time, born.Adopted
	t.fit()
	if err := t.leaves(ctx); err != nil {
		return err
	}
	if err := t.edge(); err != nil {
		return err
	}
	if err := t.strangers(ctx); err != nil {
		return err
	}
	t.unreached()
	t.proof.Leaves, t.proof.Root, t.proof.Signed = t.grown.size, t.grown.root().String(), t.signed
	v.proof.Trees = append(v.proof.Trees, t.proof)
	return nil
}

func (t *treeVerify) add(f Finding) {
	f.Shard = &t.id
	t.v.add(f)
}

// born reads the tree's birth. A queue's shard without events has no tree.
func (t *treeVerify) born() (*birth, bool, error) {
	b := &birth{}
	text, found, err := t.tree.get(t.snap, rowKey(control.TableTree, []byte(rowBorn)))
	if errors.Is(err, store.ErrDamaged) {
		t.add(Finding{Problem: err.Error()})
		return b, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if found {
		if err := json.Unmarshal(text, b); err != nil || b.Version != birthVersion {
			t.add(Finding{Problem: "the row of the tree's birth is not as it was written"})
		}
		return b, true, nil
	}
	shards := t.v.cfg.Shards
	needed := t.id == 0 || t.id == shards[len(shards)-1] || len(t.targets) > 0
	if needed {
		t.add(Finding{Problem: "the row of the tree's birth is missing"})
	}
	return b, needed, nil
}

// leaves walks the tree, and compares each leaf with its event.
func (t *treeVerify) leaves(ctx context.Context) error {
	it := t.snap.Iter([]byte{byte(control.TableLeaf)}, []byte{byte(control.TableLeaf) + 1})
	var err error
	for it.Next() && ctx.Err() == nil && err == nil {
		err = t.row(it.Key(), it.Value())
	}
	return errors.Join(err, it.Err(), it.Close(), ctx.Err())
}

func (t *treeVerify) row(key, box []byte) error {
	text, err := t.tree.sealer().OpenBox(nil, boxAAD(t.id, key), box)
	var leaves []Leaf
	if err == nil && len(key) != 9 {
		err = store.ErrDamaged
	}
	if err == nil {
		leaves, err = parseLeaves(text)
	}
	if err != nil {
		t.add(Finding{Problem: fmt.Sprintf("%s: leaves that are not as they were written: %v",
			rowName(key), err)})
		return nil
	}
	if first := binary.BigEndian.Uint64(key[1:]); first != t.grown.size {
		n := t.grown.size
		t.add(Finding{Leaf: &n, Problem: fmt.Sprintf(
			"leaf %d follows where leaf %d should stand: leaves were removed or put in", first, n)})
	}
	for i := range leaves {
		if err := t.leaf(&leaves[i]); err != nil {
			return err
		}
	}
	return nil
}

// leaf compares a leaf with its event, and the tree so far with the heads.
func (t *treeVerify) leaf(l *Leaf) error {
	n, at := t.grown.size, placeTime(l.key)
	found := func(problem string) {
		t.add(Finding{Leaf: &n, Event: fmt.Sprintf("%x", l.key), Time: &at, Problem: problem})
	}
	box, ok, err := t.snap.Get(l.key)
	if err != nil {
		return err
	}
	switch {
	case ok:
		t.present++
		text, err := t.tree.sealer().OpenBox([]byte{}, boxAAD(t.id, l.key), box)
		if err != nil {
			found("the event was changed or moved, by somebody without the store's keys")
		} else if sha256.Sum256(text) != l.digest {
			found("the event was changed: it is not the one in the tree")
		}
	case at.Before(t.v.cfg.Now.Add(expirySlack - Retention)):
		t.proof.Expired++
	default:
		found("the event was removed")
	}
	t.grown.add(l.hash(t.id))
	t.at = at
	t.fit()
	return nil
}

// fit compares the tree with the heads of its present size. Behind the first that
// does not fit none does.
func (t *treeVerify) fit() {
	var root tlog.Hash
	for i := 0; len(t.targets) > 0 && t.targets[0].size == t.grown.size; i++ {
		if i == 0 {
			root = t.grown.root()
		}
		g := t.targets[0]
		if g.root == root {
			t.targets, t.signed = t.targets[1:], g.size
			continue
		}
		n := t.signed
		t.add(Finding{Leaf: &n, Line: g.line, Time: &g.time, Problem: fmt.Sprintf(
			"leaves %d to %d, up to the event of %s, are not those that were signed: "+
				"%s has another root", n, g.size-1, t.at.Format(time.RFC3339), g.name())})
		t.targets = nil
	}
}

// unreached tells of heads that know more leaves than there are.
func (t *treeVerify) unreached() {
	if len(t.targets) == 0 {
		return
	}
	g, n := t.targets[len(t.targets)-1], t.grown.size
	t.add(Finding{Leaf: &n, Line: g.line, Time: &g.time, Problem: fmt.Sprintf(
		"the tree ends at %d leaves, %s knows %d: the tail was cut off, or an old copy was "+
			"put back", n, g.name(), g.size)})
}

// edge compares the stored edge with the leaves.
func (t *treeVerify) edge() error {
	text, found, err := t.tree.get(t.snap, rowKey(control.TableTree, []byte(rowEdge)))
	var e edge
	switch {
	case err == nil && !found:
		t.add(Finding{Problem: "the edge of the tree is missing"})
		return nil
	case err == nil:
		e, err = parseEdge(text)
	}
	if errors.Is(err, store.ErrDamaged) {
		t.add(Finding{Problem: "the edge of the tree: " + err.Error()})
		return nil
	}
	if err == nil && (e.size != t.grown.size || e.root() != t.grown.root()) {
		t.add(Finding{Problem: fmt.Sprintf(
			"the edge of the tree is of other leaves: of %d, where there are %d", e.size,
			t.grown.size)})
	}
	return err
}

// strangers looks for events that are not in the tree.
func (t *treeVerify) strangers(ctx context.Context) error {
	var events int64
	err := t.events(ctx, func([]byte) { events++ })
	if err != nil || events == t.present {
		return err
	}
	seed, known := maphash.MakeSeed(), map[uint64]bool{}
	it := t.snap.Iter([]byte{byte(control.TableLeaf)}, []byte{byte(control.TableLeaf) + 1})
	for it.Next() {
		text, err := t.tree.sealer().OpenBox(nil, boxAAD(t.id, it.Key()), it.Value())
		if err != nil {
			continue
		}
		leaves, _ := parseLeaves(text) // what is wrong with them was told
		for i := range leaves {
			known[maphash.Bytes(seed, leaves[i].key)] = true
		}
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return err
	}
	named := false
	err = t.events(ctx, func(key []byte) {
		if known[maphash.Bytes(seed, key)] {
			return
		}
		named = true
		at := placeTime(key)
		t.add(Finding{Event: fmt.Sprintf("%x", key), Time: &at,
			Problem: "the event is in no tree: it was put in"})
	})
	if err == nil && !named {
		t.add(Finding{Problem: fmt.Sprintf("%d events, and %d leaves of events that are there",
			events, t.present)})
	}
	return err
}

func (t *treeVerify) events(ctx context.Context, fn func(key []byte)) error {
	it := t.snap.Iter([]byte{byte(control.TableEvent)}, []byte{byte(control.TableEvent) + 1})
	for it.Next() && ctx.Err() == nil {
		fn(it.Key())
	}
	return errors.Join(it.Err(), it.Close(), ctx.Err())
}
