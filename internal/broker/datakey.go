package broker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// DataKeyID names a data key by which messages of a domain are sealed.
type DataKeyID struct {
	Domain seal.DomainID
	Number uint32
}

// DataKeys tells which data keys the stored messages of some domains have, while
// everything goes on. It finds every key of which a message was stored before the call and
// still is at its end, and perhaps keys of messages that went meanwhile. All namespaces of
// those domains must be open, and none may be on its way to another shard:
//
//   - Every owner notes what it stores from before the first read until behind the last
//     one. A message that was stored before stays at its key, where a read finds it, or is
//     stored anew: as a dead letter, by a move, when its delay is over.
//   - On its way to another shard it is a parcel, from the batch that takes it out of its
//     queue until behind the one that stores it there; parcels are read after queues.
//
// The parts of a large message count as sealed like its head. rest is called after slices
// that were read; an error of it ends the call. One call at a time.
func (c *Core) DataKeys(
	ctx context.Context, of func(seal.DomainID) bool, rest control.Rest,
) (keys map[DataKeyID]struct{}, err error) {
	all := &census{of: of, keys: map[DataKeyID]struct{}{}}
	begun := make([]*census, len(c.shards))
	defer func() {
		ctx := context.WithoutCancel(ctx)
		for i, sh := range c.shards {
			if begun[i] != nil {
				_, cerr := sh.ask(ctx, request{kind: reqCensus})
				err = errors.Join(err, cerr)
				maps.Copy(all.keys, begun[i].keys)
			}
		}
		keys = all.keys
	}()
	for i, sh := range c.shards {
		begun[i] = &census{of: of, keys: map[DataKeyID]struct{}{}}
		if _, err := sh.ask(ctx, request{kind: reqCensus, census: begun[i]}); err != nil {
			return nil, err
		}
	}
	layout, err := c.layout(ctx)
	if err != nil {
		return nil, err
	}
	for _, sh := range c.shards {
		w := &censusWalk{
			census: all, core: c, sh: sh, rest: rest,
			place: place{platform: sh.place.platform, shard: sh.id},
		}
		if err := w.run(ctx, layout); err != nil {
			return nil, fmt.Errorf("data keys in shard %d: %w", sh.id, err)
		}
	}
	return nil, nil
}

// census is the data keys of messages of some domains.
type census struct {
	of   func(seal.DomainID) bool
	keys map[DataKeyID]struct{}
}

// domain gives the domain of a namespace, if its messages are wanted.
func (c *census) domain(n *Namespace) (id seal.DomainID, ok bool) {
	if n == nil {
		return id, false
	}
	d, ok := n.domain.(interface{ ID() seal.DomainID })
	if !ok {
		return id, false
	}
	return d.ID(), c.of(d.ID())
}

// take notes the data key of a record in a namespace.
func (c *census) take(n *Namespace, record []byte) error {
	id, ok := c.domain(n)
	if !ok {
		return nil
	}
	h, err := seal.ParseRecord(record)
	if err == nil {
		c.keys[DataKeyID{id, h.DataKey}] = struct{}{}
	}
	return err
}

// beginCensus lets the owner note what it stores, or ends that. The answer comes when
// all is durable that it stored before.
func (sh *shard) beginCensus(r *request) {
	sh.census = r.census
	sh.say(true, answering(r.reply, reply{}))
}

// censusWalk reads the messages of a shard for a census.
type censusWalk struct {
	*census
	place
	core *Core
	sh   *shard
	rest control.Rest
	rows int
}

func (w *censusWalk) run(ctx context.Context, l *layout) error {
	for id, in := range l.queues {
		n := w.core.opened(in)
		if _, ok := w.domain(n); !ok || n.shard != w.sh {
			continue
		}
		for _, c := range [...]class{classDurable, classSpilled} {
			lower, upper := queueRange(c, id)
			if err := w.walk(ctx, n, lower, upper); err != nil {
				return err
			}
		}
	}
	return w.walk(ctx, nil, []byte{byte(classParcel)}, []byte{byte(classParcel) + 1})
}

// walk reads a range of keys, a slice of a snapshot at a time.
func (w *censusWalk) walk(ctx context.Context, n *Namespace, from, to []byte) (err error) {
	for from != nil {
		before := w.rows
		if from, err = w.slice(n, from, to); err != nil {
			return err
		}
		if w.rows > before {
			if err := w.rest(ctx, w.shard, w.rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// slice gives where the next one begins; nil at the end of the range.
func (w *censusWalk) slice(n *Namespace, from, to []byte) (next []byte, err error) {
	snap := w.sh.store.Snapshot()
	it := snap.Iter(from, to)
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	for rows, size := 0, 0; it.Next(); rows++ {
		if rows == resealRows || size > resealRead {
			return bytes.Clone(it.Key()), nil
		}
		size += len(it.Value())
		w.rows++
		if err := w.row(snap, n, it.Key(), it.Value()); err != nil {
			return nil, fmt.Errorf("%w: key %x: %w", store.ErrDamaged, it.Key(), err)
		}
	}
	return nil, it.Err()
}

// row takes a message in a queue of n, or a parcel; what stands beside messages is passed
// over.
func (w *censusWalk) row(snap store.Snapshot, n *Namespace, key, value []byte) error {
	parcels := class(key[0]) == classParcel
	if !parcels && !isMessage(key) {
		return nil
	}
	box, record, err := splitValue(value)
	if err != nil || !parcels && len(record) > 0 {
		return cmp.Or(err, w.take(n, record))
	}
	plain, err := w.open(nil, key, box)
	if err != nil {
		return err
	}
	if parcels {
		p, err := parseParcel(plain, record)
		return cmp.Or(err, w.take(w.core.opened(p.namespace), record))
	}
	e, err := parseEnvelope(plain)
	if err != nil {
		return err
	}
	record, ok, err := snap.Get(bodyKey(nil, e.id, 0))
	if err == nil && !ok {
		err = fmt.Errorf("record %x is missing", e.id)
	}
	return cmp.Or(err, w.take(n, record))
}

// opened gives a namespace; nil when it is not open.
func (c *Core) opened(id NamespaceID) *Namespace {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.namespaces[id]
}
