package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// A Reader reads the events of a store that stands still. Its snapshots stay the
// caller's but for those that Open gives.
type Reader struct {
	State  *control.Inspection // of shard 0
	Shards []store.ShardID     // in ascending order
	Open   func(id store.ShardID) store.Snapshot
}

// A Scope is what one account did in one Region: its events, the oldest first.
type Scope struct {
	Account, Region string
	refs            []eventRef
}

// eventRef is where an event lies.
type eventRef struct {
	shard store.ShardID
	key   string // store key
}

// First and Last are the times of the oldest and the newest event.
func (s *Scope) First() time.Time { return placeTime([]byte(s.refs[0].key)) }

// Last is the time of the newest event.
func (s *Scope) Last() time.Time { return placeTime([]byte(s.refs[len(s.refs)-1].key)) }

// Scopes lists the accounts and Regions that have events, in their order. An event
// that does not open is [store.ErrDamaged].
func (r *Reader) Scopes(ctx context.Context) ([]*Scope, error) {
	found := map[string]*Scope{}
	for _, id := range r.Shards {
		if err := r.refs(ctx, id, found); err != nil {
			return nil, fmt.Errorf("list events of shard %d: %w", id, err)
		}
	}
	var list []*Scope
	for _, s := range found {
		slices.SortFunc(s.refs, func(a, b eventRef) int {
			x, y := leafPlace([]byte(a.key)), leafPlace([]byte(b.key))
			return cmp.Or(slices.Compare(y[:8], x[:8]), // places are inverted
				cmp.Compare(a.shard, b.shard), slices.Compare(y[8:], x[8:]))
		})
		err := r.Events(ctx, &Scope{refs: s.refs[:1]}, time.Time{}, time.Time{},
			func(_ time.Time, text []byte) error {
				e := &Event{}
				err := json.Unmarshal(text, e)
				s.Account, s.Region = e.RecipientAccountID, e.AWSRegion
				return err
			})
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *Scope) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region))
	})
	return list, nil
}

// refs collects where the events of a shard with a tree lie.
func (r *Reader) refs(
	ctx context.Context, id store.ShardID, found map[string]*Scope,
) (err error) {
	snap := r.Open(id)
	defer func() { err = errors.Join(err, snap.Close()) }()
	tree := &Tree{id: id, sealer: r.State.Platform}
	_, born, err := tree.get(snap, rowKey(control.TableTree, []byte(rowBorn)))
	if !born || err != nil {
		return err
	}
	it := snap.Iter([]byte{byte(control.TableEvent)}, []byte{byte(control.TableEvent) + 1})
	for it.Next() && ctx.Err() == nil && err == nil {
		key := string(it.Key())
		if len(key) != 1+seal.MACSize+placeSize {
			err = fmt.Errorf("%w: %s", store.ErrDamaged, rowName(it.Key()))
			continue
		}
		s := found[key[1:1+seal.MACSize]]
		if s == nil {
			s = &Scope{}
			found[key[1:1+seal.MACSize]] = s
		}
		s.refs = append(s.refs, eventRef{id, key})
	}
	return errors.Join(err, it.Err(), it.Close(), ctx.Err())
}

// Events calls fn with the time and the text of each event of a scope from one time
// to before another, the oldest first; a zero time is no bound. The text is fn's.
func (r *Reader) Events(
	ctx context.Context, s *Scope, from, until time.Time, fn func(at time.Time, text []byte) error,
) (err error) {
	snaps := map[store.ShardID]store.Snapshot{}
	defer func() {
		for _, snap := range snaps {
			err = errors.Join(err, snap.Close())
		}
	}()
	begin, _ := slices.BinarySearchFunc(s.refs, from, func(r eventRef, t time.Time) int {
		return placeTime([]byte(r.key)).Compare(t)
	})
	for _, ref := range s.refs[begin:] {
		at := placeTime([]byte(ref.key))
		if !until.IsZero() && !at.Before(until) || ctx.Err() != nil {
			return ctx.Err()
		}
		snap := snaps[ref.shard]
		if snap == nil {
			snap = r.Open(ref.shard)
			snaps[ref.shard] = snap
		}
		tree := &Tree{id: ref.shard, sealer: r.State.Platform}
		text, found, err := tree.get(snap, []byte(ref.key))
		if err == nil && !found {
			err = errMissing
		}
		if err != nil {
			return fmt.Errorf("read event of %s: %w", at.Format(time.RFC3339Nano), err)
		}
		if err := fn(at, text); err != nil {
			return err
		}
	}
	return nil
}

// SignNote signs a text with the key that signs the heads of a store, so that one
// public key shows also that.
func SignNote(state *control.Inspection, text string) ([]byte, error) {
	v := &verify{cfg: VerifyConfig{State: state}}
	k := &keyPair{}
	if err := v.row(rowKeyPair, k, &k.Version); err != nil {
		return nil, fmt.Errorf("the key that signs heads: %w", err)
	}
	s, err := note.NewSigner(k.Signer)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: text}, s)
}
