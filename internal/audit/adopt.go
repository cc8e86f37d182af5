package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/control"
	"coffer/internal/store"
)

// birth tells when a shard got its tree, and how many events were there before:
// those of a program that kept none.
type birth struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Adopted uint64    `json:"adopted"`
}

// birthVersion is of the rows that this program writes.
const birthVersion = 1

// adoptRow is how many adopted leaves share a row, and adoptRows how many rows
// share a batch.
const (
	adoptRow  = 512
	adoptRows = 64
)

// plot is a shard in which a tree is planted.
type plot interface {
	// born tells whether the shard has a tree.
	born() (bool, error)
	// events calls fn with the store key and the text of every event that opens.
	events(fn func(key, text []byte)) error
	// write makes rows durable, at once.
	write(rows []row) error
}

// plant makes the tree of a shard that has none, over the events that are there,
// the oldest first. What it writes before the last batch a start after a crash
// writes again.
func plant(p plot, id store.ShardID, now time.Time) error {
	born, err := p.born()
	if born || err != nil {
		return err
	}
	var leaves []Leaf
	err = p.events(func(key, text []byte) {
		leaves = append(leaves, NewLeaf(bytes.Clone(key), text))
	})
	if err != nil {
		return err
	}
	slices.SortFunc(leaves, func(a, b Leaf) int {
		if c := bytes.Compare(leafPlace(b.key), leafPlace(a.key)); c != 0 {
			return c // places are inverted
		}
		return bytes.Compare(a.key, b.key)
	})
	e, rows, count := edge{}, []row(nil), uint64(len(leaves))
	for part := range slices.Chunk(leaves, adoptRow) {
		rows = append(rows, row{leafRow(e.size), encodeLeaves(part)})
		for i := range part {
			e.add(part[i].hash(id))
		}
		if len(rows) == adoptRows {
			if err := p.write(rows); err != nil {
				return err
			}
			rows = nil
		}
	}
	text, err := json.Marshal(&birth{birthVersion, now.UTC(), count})
	if err != nil {
		return err
	}
	return p.write(append(rows, row{rowKey(control.TableTree, []byte(rowEdge)), e.encode()},
		row{rowKey(control.TableTree, []byte(rowBorn)), text}))
}

// leafPlace gives the place of the event at a store key.
func leafPlace(key []byte) []byte { return key[max(0, len(key)-placeSize):] }

// placeTime gives the time of an event, to the microsecond.
func placeTime(key []byte) time.Time {
	p := leafPlace(key)
	if len(p) < placeSize {
		return time.Time{}
	}
	return time.UnixMicro(int64(^binary.BigEndian.Uint64(p))).UTC()
}

// basePlot is shard 0.
type basePlot struct {
	ctx context.Context
	db  *control.DB
}

func (p *basePlot) born() (found bool, err error) {
	err = p.db.View(p.ctx, func(_ context.Context, tx *control.Tx) error {
		_, found, err = tx.Get(control.TableTree, []byte(rowBorn))
		return err
	})
	return found, err
}

func (p *basePlot) events(fn func(key, text []byte)) error {
	return p.db.View(p.ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableEvent, nil, func(id, text []byte) error {
			fn(rowKey(control.TableEvent, id), text)
			return nil
		})
	})
}

func (p *basePlot) write(rows []row) error {
	return p.db.Update(p.ctx, func(_ context.Context, tx *control.Tx) error {
		for _, r := range rows {
			tx.Put(control.Table(r.key[0]), r.key[1:], r.value)
		}
		return nil
	})
}

// farPlot is another shard.
type farPlot struct {
	ctx   context.Context
	shard store.Shard
	tree  *Tree // opened over nothing
}

func (p *farPlot) born() (found bool, err error) {
	snap := p.shard.Snapshot()
	_, found, err = p.tree.get(snap, rowKey(control.TableTree, []byte(rowBorn)))
	if cerr := snap.Close(); err == nil {
		err = cerr
	}
	return found, err
}

func (p *farPlot) events(fn func(key, text []byte)) error {
	snap := p.shard.Snapshot()
	it := snap.Iter([]byte{byte(control.TableEvent)}, []byte{byte(control.TableEvent) + 1})
	for it.Next() {
		text, err := p.tree.sealer().OpenBox(nil, boxAAD(p.tree.id, it.Key()), it.Value())
		if err == nil { // what does not open `coffer check` tells
			fn(it.Key(), text)
		}
	}
	err := it.Err()
	for _, close := range []func() error{it.Close, snap.Close} {
		if cerr := close(); err == nil {
			err = cerr
		}
	}
	return err
}

func (p *farPlot) write(rows []row) error {
	b := &store.Batch{}
	for _, r := range rows {
		if err := p.tree.set(b, r.key, r.value); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	p.shard.Propose(b, func(_ store.Position, err error) { done <- err })
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("plant tree of shard %d: %w", p.tree.id, err)
		}
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// growEffects adds the leaf of an event to the tree of shard 0, in the unit of work
// that writes the event.
func growEffects(tx *control.Tx, leaf Leaf) error {
	e, err := effectsEdge(tx)
	if err != nil {
		return err
	}
	first := binary.BigEndian.AppendUint64(nil, e.size)
	tx.Put(control.TableLeaf, first, encodeLeaves([]Leaf{leaf}))
	e.add(tlog.Hash(leaf.hash(0)))
	tx.Put(control.TableTree, []byte(rowEdge), e.encode())
	return nil
}

// effectsEdge reads the edge of the tree of shard 0.
func effectsEdge(tx *control.Tx) (edge, error) {
	text, found, err := tx.Get(control.TableTree, []byte(rowEdge))
	if err != nil || !found {
		return edge{}, err
	}
	return parseEdge(text)
}
