package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"coffer/internal/store"
)

// ErrFailed is the end of a process that lost what it rests on. What it holds in
// memory may not be what is stored, so only a new process may go on.
var ErrFailed = errors.New("the process cannot go on")

// watching waits for the loss of shards.
type watching struct {
	stopping context.Context // ends when the process stops
	unwatch  context.CancelFunc
	watchers *sync.WaitGroup
	first    *sync.Once
	lost     context.Context // ends, with the cause, when the first shard is lost
	lose     context.CancelCauseFunc
}

func newWatching() watching {
	w := watching{watchers: &sync.WaitGroup{}, first: &sync.Once{}}
	stopping, cancel := context.WithCancel(context.Background())
	w.lost, w.lose = context.WithCancelCause(context.Background())
	w.stopping, w.unwatch = stopping, func() { cancel(); w.watchers.Wait() }
	return w
}

// watch looks after a shard until the process stops. Of many losses the first
// is told: they have one cause.
func (w *watching) watch(log *slog.Logger, id store.ShardID, s store.Shard) {
	w.watchers.Go(func() {
		select {
		case <-w.stopping.Done():
			return
		case <-s.Lost():
		}
		if w.stopping.Err() != nil {
			return
		}
		w.first.Do(func() {
			log.Error("a shard is lost, the process ends", "shard", id)
			w.lose(fmt.Errorf("%w: shard %d is lost", ErrFailed, id))
		})
	})
}

// Wait returns nil when ctx ends, or before, with an error that is [ErrFailed]
// and names the shard, when the process must end. Either way Stop comes next.
func (n *Node) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.lost.Done():
		return context.Cause(n.lost)
	}
}
