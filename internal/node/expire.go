package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"coffer/internal/audit"
	"coffer/internal/store"
)

// expireEvery is how often old events are looked for.
const expireEvery = time.Hour

// openExpiry begins to remove what the trail need not keep.
func (n *Node) openExpiry(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { n.expireEvents(ctx) })
	n.onStop(func(context.Context) error {
		cancel()
		work.Wait()
		return nil
	})
	return nil
}

func (n *Node) expireEvents(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		removed, err := n.trail.Expire(ctx, time.Now().Add(-audit.Retention))
		more, derr := n.expireData(ctx)
		removed, err = removed+more, errors.Join(err, derr)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrDamaged):
			n.log.Error("old events are damaged and stay; see coffer check", "error", err)
		case err != nil:
			n.log.Error("old events could not be removed", "error", err)
		}
		if removed > 0 {
			n.log.Info("old events were removed", "events", removed,
				"days", int(audit.Retention.Hours()/24))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
