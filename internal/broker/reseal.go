package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Bounds of a slice of a shard that is sealed anew in one batch.
const (
	resealRows  = 1024      // looked at
	resealRead  = 1 << 20   // bytes
	resealBytes = 256 << 10 // that are written; a larger row goes alone
)

// auditTree begins the keys of the audit trail's rows that owners write more than once.
const auditTree = 0x44

// resealSpans are the keys of a shard with boxes that its owner may write again, or
// delete: all but chunks of bodies and their references, which have none, and what the
// audit trail sees to by itself.
func resealSpans() [][2][]byte {
	return [][2][]byte{
		{{byte(classRecord)}, {byte(classBody)}},
		{{byte(classDedup)}, {audited}},
		{{auditTree}, {auditTree + 1}},
	}
}

// Reseal seals anew what is stored in the queue shards under platform keys that were
// replaced before the call, while everything goes on. It reads snapshots, a slice at a
// time. One call at a time. A row that does not open is left, and the error at the end
// then is [store.ErrDamaged]; without an error nothing older is stored, and nothing older
// comes any more:
//
//   - Only the owner writes to its shard, but for the audit trail's events. What it seals it
//     puts into the open batch, so when the batch is durable that was open after the
//     replacement, all it ever sealed before is stored. What others sealed for it goes
//     through bring, which seals it anew if it is stale then.
//   - The owner watches what it writes from before the snapshot of a slice until it has
//     the slice, and leaves out the rows that it wrote: those are newer, or gone.
func (c *Core) Reseal(ctx context.Context, rest control.Rest) (n int, err error) {
	for _, sh := range c.shards {
		if _, err := sh.ask(ctx, request{kind: reqRewrite}); err != nil {
			return 0, err
		}
	}
	var damaged error
	for _, sh := range c.shards {
		r := &resealing{
			sh: sh, place: place{platform: sh.place.platform, shard: sh.id}, written: n,
		}
		err := r.run(ctx, rest)
		n = r.written
		damaged = errors.Join(damaged, r.damaged)
		if err != nil {
			return n, fmt.Errorf("seal shard %d anew: %w", sh.id, err)
		}
	}
	return n, damaged
}

// resealing is the walk through one shard.
type resealing struct {
	sh *shard
	place
	rows    []brought // of the slice, sealed anew
	written int
	damaged error // of one row; nil: none
}

func (r *resealing) run(ctx context.Context, rest control.Rest) error {
	for _, span := range resealSpans() {
		for from := span[0]; from != nil; {
			if err := rest(ctx, r.shard, r.written); err != nil {
				return err
			}
			var err error
			if from, err = r.slice(ctx, from, span[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// slice seals the rows from one on anew, and gives where the next slice begins: nil at
// the end of the span. Where nothing is stale the owner is not troubled.
func (r *resealing) slice(ctx context.Context, from, to []byte) (next []byte, err error) {
	next, some, err := r.read(from, to, func(key, value []byte) (bool, error) {
		begin, end, err := boxIn(key, value)
		return err == nil && r.platform.Stale(value[begin:end]), err
	})
	if err != nil || some == 0 {
		return next, err
	}
	if _, err := r.sh.ask(ctx, request{kind: reqWatch}); err != nil {
		return nil, err
	}
	r.rows = nil
	size := 0
	next, _, err = r.read(from, to, func(key, value []byte) (bool, error) {
		anew, err := r.renew(key, value)
		if anew != nil {
			r.rows = append(r.rows, brought{key: bytes.Clone(key), value: anew})
			size += len(anew)
		}
		return size > resealBytes, err
	})
	if err != nil {
		return nil, err
	}
	a, err := r.sh.ask(ctx, request{kind: reqRewrite, rows: r.rows})
	r.written += a.count
	if err == nil && !a.ok {
		return from, nil // once more
	}
	return next, err
}

// read calls fn with each row of a slice of a snapshot, until it says that it is enough,
// and gives the key behind. What is damaged is noted.
func (r *resealing) read(from, to []byte, fn func(key, value []byte) (enough bool, err error)) (
	next []byte, some int, err error,
) {
	snap := r.sh.store.Snapshot()
	it := snap.Iter(from, to)
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	for rows, size := 0, 0; it.Next(); rows++ {
		if rows == resealRows || size > resealRead {
			return bytes.Clone(it.Key()), some, nil
		}
		size += len(it.Value())
		enough, err := fn(it.Key(), it.Value())
		if err != nil {
			r.damaged = fmt.Errorf("%w: shard %d, key %x: %w", store.ErrDamaged, r.shard,
				it.Key(), err)
		}
		if enough {
			return append(bytes.Clone(it.Key()), 0), 1, nil
		}
	}
	return nil, some, it.Err()
}

// boxIn gives where in the value at a key its box is; bodies and references have none.
func boxIn(key, value []byte) (begin, end int, err error) {
	switch c := class(key[0]); {
	case c == classBody || c == classRef:
		return 0, 0, nil
	case c != classParcel && !isMessage(key):
		return 0, len(value), nil
	}
	box, _, err := splitValue(value)
	return valueHeader, valueHeader + len(box), err
}

// isMessage reports whether envelope and record of a message are stored at a key.
func isMessage(key []byte) bool {
	c := class(key[0])
	return (c == classDurable || c == classSpilled) && len(key) > 9 &&
		(kind(key[9]) == kindLive || kind(key[9]) == kindDelayed)
}

// renew gives a value with its box sealed anew, in memory of its own; nil when that is
// not stale.
func (p *place) renew(key, value []byte) ([]byte, error) {
	begin, end, err := boxIn(key, value)
	if err != nil || !p.platform.Stale(value[begin:end]) {
		return nil, err
	}
	box, err := p.platform.Renew(p.at(key), value[begin:end])
	if err != nil {
		return nil, err
	}
	return slices.Concat(value[:begin], box, value[end:]), nil
}
