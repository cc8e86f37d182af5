package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Check authenticates every event of the last shard and compares it with its
// index: each attribute must lead to it, and nothing else may be there. What is
// not so goes to damaged, with its table and id. The error ends the check: what
// cannot be read, or ctx.
func Check(
	ctx context.Context, state *control.Inspection, snap store.Snapshot, id store.ShardID,
	damaged func(row string, err error),
) (rows int64, err error) {
	c := &check{state: state, snap: snap, id: id, damaged: damaged}
	return c.run(ctx, nil, nil)
}

// run checks the rows in lower <= key < upper.
func (c *check) run(ctx context.Context, lower, upper []byte) (rows int64, err error) {
	it := c.snap.Iter(lower, upper)
	for it.Next() && ctx.Err() == nil {
		rows++
		c.row(it.Key(), it.Value())
	}
	err = it.Err()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		c.treeWhole()
	}
	if err == nil && c.found != c.expected {
		c.damaged(control.TableEventIndex.String(), fmt.Errorf(
			"%w: %d entries, the events have %d attributes", store.ErrDamaged, c.found, c.expected))
	}
	return rows, err
}

type check struct {
	state           *control.Inspection
	snap            store.Snapshot
	id              store.ShardID
	damaged         func(row string, err error)
	found, expected int // entries of the index

	grown       edge // of the leaves
	edge        *edge
	edged, born bool // the rows are there
}

// treeWhole compares the tree's leaves with its edge. A program that kept no tree
// left neither.
func (c *check) treeWhole() {
	var err error
	switch {
	case !c.edged && !c.born && c.grown.size == 0:
		return
	case !c.edged || !c.born:
		err = errors.New("the tree's edge or birth is missing")
	case c.edge != nil && (c.edge.size != c.grown.size || c.edge.root() != c.grown.root()):
		err = fmt.Errorf("its edge is of other leaves: %d, there are %d", c.edge.size, c.grown.size)
	}
	if err != nil {
		c.damaged(control.TableTree.String(), fmt.Errorf("%w: %w", store.ErrDamaged, err))
	}
}

// leaves adds a row of leaves to the tree.
func (c *check) leaves(id, text []byte) error {
	leaves, err := parseLeaves(text)
	if err != nil {
		return err
	}
	first := binary.BigEndian.Uint64(id)
	if first != c.grown.size {
		err = fmt.Errorf("leaf %d does not follow leaf %d", first, c.grown.size)
	}
	for i := range leaves {
		c.grown.add(leaves[i].hash(c.id))
	}
	return err
}

func (c *check) row(key, value []byte) {
	var err error
	c.state.Note(value)
	switch {
	case len(key) > 1 && (control.Table(key[0]) == control.TableLeaf ||
		control.Table(key[0]) == control.TableTree):
		err = c.tree(key, value)
	case len(key) != 1+16+placeSize:
		err = errors.New("not the length of a key")
	case control.Table(key[0]) == control.TableEvent:
		err = c.event(key, value)
	case control.Table(key[0]) == control.TableEventIndex:
		c.found++
		if len(value) != 0 {
			err = errors.New("a value where there is none")
		}
	default:
		err = errors.New("not a table of this shard")
	}
	if err != nil {
		c.damaged(fmt.Sprintf("entry %x", key), fmt.Errorf("%w: %w", store.ErrDamaged, err))
	}
}

// tree opens a row of the shard's tree. Whether its events are those in it, Verify
// tells.
func (c *check) tree(key, box []byte) error {
	table, id := control.Table(key[0]), key[1:]
	c.edged = c.edged || table == control.TableTree && string(id) == rowEdge
	c.born = c.born || table == control.TableTree && string(id) == rowBorn
	text, err := c.state.Platform().OpenBox(nil, boxAAD(c.id, key), box)
	if err != nil {
		return err
	}
	switch {
	case table == control.TableLeaf && len(id) == 8:
		err = c.leaves(id, text)
	case table == control.TableTree && string(id) == rowEdge:
		var e edge
		if e, err = parseEdge(text); err == nil {
			c.edge = &e
		}
	case table == control.TableTree && string(id) == rowBorn:
		err = json.Unmarshal(text, &birth{})
	default:
		err = errors.New("not a row of a tree")
	}
	return err
}

// event opens an event and looks its attributes up.
func (c *check) event(key, box []byte) error {
	body, err := c.state.Platform().OpenBox(nil, boxAAD(c.id, key), box)
	if err != nil {
		return err
	}
	e := &Event{}
	if err := json.Unmarshal(body, e); err != nil {
		return err
	}
	scope := c.state.MAC("event", e.RecipientAccountID, e.AWSRegion)
	if !bytes.Equal(key[1:17], scope) {
		return errors.New("an event of another account or Region")
	}
	for _, a := range e.attributes() {
		if a[1] == "" {
			continue
		}
		mac := c.state.MAC("event-attribute", e.RecipientAccountID, e.AWSRegion, a[0], a[1])
		index := append(rowKey(control.TableEventIndex, mac), key[17:]...)
		if _, ok, err := c.snap.Get(index); err != nil {
			return err
		} else if !ok && a[0] == requestID { // older events have no row of it
			continue
		} else if !ok {
			return fmt.Errorf("its index entry of attribute %s is missing", a[0])
		}
		c.expected++
	}
	return nil
}
