package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

// resealAgain is when what failed is tried again.
const resealAgain = time.Hour

// resealing seals anew what is stored under older platform keys.
type resealing struct {
	n    *Node
	wake chan struct{} // holds a token when there is a newer key

	mu     sync.Mutex
	active bool
	at     store.ShardID
	sealed int // values, of the last work
}

// openResealing begins to seal anew what a rotation, or one of an earlier process, left.
func (n *Node) openResealing(context.Context) error {
	r := &resealing{n: n, wake: make(chan struct{}, 1)}
	n.resealing = r
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { r.run(ctx) })
	n.onStop(func(context.Context) error {
		cancel()
		work.Wait()
		return nil
	})
	return nil
}

// notify says that there is a newer key.
func (r *resealing) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *resealing) run(ctx context.Context) {
	again := time.NewTicker(resealAgain)
	defer again.Stop()
	for {
		if s := r.n.db.PlatformState(); s.Keys > 1 && !s.Resealed {
			begun := time.Now()
			sealed, err := r.all(ctx)
			r.show(false, 0, sealed)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, store.ErrDamaged):
				r.n.log.Error("values are damaged and keep an older platform key; see coffer check",
					"error", err)
			case err != nil:
				r.n.log.Error("not all could be sealed anew", "error", err)
			case r.n.db.PlatformState().Resealed: // else there is a newer key already
				r.n.log.Info("all is sealed under the newest platform key", "values", sealed,
					"took", time.Since(begun))
			}
		}
		select {
		case <-r.wake:
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// all goes through all shards. The queues come before the trail, whose events in queue
// shards the owners of those write.
func (r *resealing) all(ctx context.Context) (before int, err error) {
	epoch := r.n.db.Platform().Newest()
	from := time.Now()
	rest := func(ctx context.Context, at store.ShardID, sealed int) error {
		r.show(true, at, before+sealed)
		err := r.n.pause(ctx, time.Since(from))
		from = time.Now()
		return err
	}
	var damaged error
	for _, reseal := range []func(context.Context, control.Rest) (int, error){
		r.n.db.Reseal, r.n.core.Reseal, r.n.trail.Reseal,
	} {
		sealed, err := reseal(ctx, rest)
		if before += sealed; err != nil && !errors.Is(err, store.ErrDamaged) {
			return before, err
		}
		damaged = errors.Join(damaged, err)
	}
	if damaged != nil {
		return before, damaged
	}
	return before, r.n.db.Resealed(ctx, epoch)
}

func (r *resealing) show(active bool, at store.ShardID, sealed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active, r.at, r.sealed = active, at, sealed
}

// progress gives the values that were sealed anew, and the shard that is next; nil when
// there is none.
func (r *resealing) progress() (sealed int, at *store.ShardID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active {
		at = new(r.at)
	}
	return r.sealed, at
}
