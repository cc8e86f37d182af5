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
	it := snap.Iter(nil, nil)
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
	if err == nil && c.found != c.expected {
		damaged(control.TableEventIndex.String(), fmt.Errorf(
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
}

func (c *check) row(key, value []byte) {
	var err error
	switch {
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

// event opens an event and looks its attributes up.
func (c *check) event(key, box []byte) error {
	full := append(binary.BigEndian.AppendUint16(nil, uint16(c.id)), key...)
	body, err := c.state.Platform().OpenBox(nil, full, box)
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
		c.expected++
		mac := c.state.MAC("event-attribute", e.RecipientAccountID, e.AWSRegion, a[0], a[1])
		index := append(rowKey(control.TableEventIndex, mac), key[17:]...)
		if _, ok, err := c.snap.Get(index); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("its index entry of attribute %s is missing", a[0])
		}
	}
	return nil
}
