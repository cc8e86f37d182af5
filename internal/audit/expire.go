package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// Events of one batch of deletions, so that neither shard is held up by them. One
// event has about ten entries of the index.
const (
	expireEffects = 64
	expireReads   = 256
)

// Expire removes the events of seconds before that of the time given, with their
// index, in batches that are durable one by one. An event that does not open stays,
// and the others go all the same; the error then is [store.ErrDamaged].
func (l *Log) Expire(ctx context.Context, before time.Time) (removed int, err error) {
	if before.Unix() <= 0 {
		return 0, nil
	}
	from := cutoff(before)
	all := func(*Event) []byte { return from }
	w := &walk{cutoff: all, n: expireEffects}
	for !w.done && ctx.Err() == nil {
		err := l.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
			rows, err := l.overdue(w, &effects{l: l, tx: tx})
			for _, r := range rows {
				tx.Delete(control.Table(r[0]), r[1:])
			}
			return err
		})
		if err != nil {
			return w.removed, fmt.Errorf("remove old events: %w", err)
		}
	}
	removed, damaged := w.removed, w.damaged
	n, err := l.expireShard(ctx, DataShard{l.shard, l.id}, all)
	return removed + n, errors.Join(damaged, err)
}

// ExpireData is Expire for data events, which are kept as long as somebody wants: from
// gives the time for an account and a Region.
func (l *Log) ExpireData(ctx context.Context, from func(account, region string) time.Time) (
	removed int, err error,
) {
	var errs []error
	for _, d := range l.data {
		n, err := l.expireShard(ctx, d.DataShard, func(e *Event) []byte {
			return cutoff(from(e.RecipientAccountID, e.AWSRegion))
		})
		removed, errs = removed+n, append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// cutoff is where the places of what is older begin: they are inverted.
func cutoff(before time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, ^(uint64(max(before.Unix(), 0))*1e6)+1)
}

// expireShard removes old events from a shard but shard 0.
func (l *Log) expireShard(ctx context.Context, s DataShard, cutoff func(*Event) []byte) (
	removed int, err error,
) {
	w := &walk{cutoff: cutoff, n: expireReads}
	for !w.done && ctx.Err() == nil {
		if err := l.expireBatch(ctx, s, w); err != nil {
			return w.removed, fmt.Errorf("remove old events: %w", err)
		}
	}
	return w.removed, errors.Join(w.damaged, ctx.Err())
}

// expireBatch removes one batch.
func (l *Log) expireBatch(ctx context.Context, s DataShard, w *walk) error {
	done := make(chan error, 1)
	l.rewriting.Lock()
	snap := s.Shard.Snapshot()
	rows, err := l.overdue(w, &reads{l: l, id: s.ID, snap: snap})
	err = errors.Join(err, snap.Close())
	if err != nil || len(rows) == 0 {
		l.rewriting.Unlock()
		return err
	}
	b := &store.Batch{}
	for _, r := range rows {
		b.Delete(r)
	}
	s.Shard.Propose(b, func(_ store.Position, err error) { done <- err })
	l.rewriting.Unlock()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return err
}

// overdue gives the store keys of the next events to remove, and of their index.
func (l *Log) overdue(w *walk, s source) (rows [][]byte, err error) {
	ids, err := w.next(s)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		e, err := decode(s, id)
		if errors.Is(err, store.ErrDamaged) {
			w.damaged = errors.Join(err) // one of them says enough
			continue
		}
		if err != nil {
			return nil, err
		}
		w.removed++
		rows = append(rows, rowKey(control.TableEvent, id))
		for _, mac := range l.index(e) {
			rows = append(rows, rowKey(control.TableEventIndex, append(mac, id[seal.MACSize:]...)))
		}
	}
	return rows, nil
}

// walk goes through the old events of every account and Region of a shard.
type walk struct {
	// cutoff gives the places from which on events are old, for one of a scope.
	cutoff  func(*Event) []byte
	n       int    // events at a time
	at      []byte // ids below were looked at
	done    bool
	removed int
	damaged error
}

// next gives the ids of up to n more events.
func (w *walk) next(s source) (ids [][]byte, err error) {
	beyond := bytes.Repeat([]byte{0xff}, placeSize+1)
	end := append(bytes.Repeat([]byte{0xff}, seal.MACSize), beyond...)
	for len(ids) < w.n {
		first, err := s.places(control.TableEvent, w.at, end, 1)
		if err != nil {
			return nil, err
		}
		if len(first) == 0 {
			w.done = true
			return ids, nil
		}
		scope := first[0][:min(seal.MACSize, len(first[0]))]
		e, err := decode(s, first[0])
		if errors.Is(err, store.ErrDamaged) {
			// It stays, and does not tell of its scope: the next one does.
			w.damaged, w.at = err, append(bytes.Clone(first[0]), 0)
			continue
		}
		if err != nil {
			return nil, err
		}
		lower := append(bytes.Clone(scope), w.cutoff(e)...)
		if bytes.Compare(lower, w.at) < 0 {
			lower = w.at
		}
		upper := append(bytes.Clone(scope), beyond...)
		more, err := s.places(control.TableEvent, lower, upper, w.n-len(ids))
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
		if w.at = upper; len(ids) == w.n {
			w.at = append(bytes.Clone(ids[w.n-1]), 0)
		}
	}
	return ids, nil
}
