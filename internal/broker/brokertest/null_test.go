package brokertest

import (
	"context"
	"sync"

	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// nullEngine is an engine whose queue shard forgets what it is given and reports
// it durable, in order, from another goroutine: what is left in a profile is the
// core. Shard 0 is a real one, in memory.
type nullEngine struct {
	*memory.Engine
	shard *nullShard
}

func newNullEngine() nullEngine {
	return nullEngine{memory.New(memory.Config{Shards: 3}), &nullShard{}}
}

func (e nullEngine) Open(ctx context.Context, id store.ShardID) (store.Shard, error) {
	s, err := e.Engine.Open(ctx, id)
	if id == 0 || err != nil {
		return s, err
	}
	e.shard.Shard = s
	return e.shard, nil
}

type nullShard struct {
	store.Shard // for what is not proposed

	mu      sync.Mutex
	waiting []func(store.Position, error)
	spare   []func(store.Position, error)
	running bool
	index   uint64
}

// Propose forgets the batch.
func (s *nullShard) Propose(_ *store.Batch, done func(store.Position, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, done)
	if !s.running {
		s.running = true
		go s.report()
	}
}

func (s *nullShard) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) > 0 {
		list := s.waiting
		s.waiting = s.spare[:0]
		s.mu.Unlock()
		for i, done := range list {
			s.index++
			done(store.Position{Epoch: 1, Index: s.index}, nil)
			list[i] = nil
		}
		s.mu.Lock()
		s.spare = list
	}
	s.running = false
}
