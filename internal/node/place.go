package node

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/service/coffer"
	"coffer/internal/service/mq"
)

var _ coffer.Brokers = (*fleet)(nil)

// Places is [coffer.Brokers]'s.
func (f *fleet) Places() ([]coffer.Place, error) {
	f.mu.Lock()
	moving := map[uuid.UUID]bool{}
	for id, b := range f.brokers {
		moving[id] = b.moving
	}
	f.mu.Unlock()
	var list []coffer.Place
	for id, moves := range moving {
		shard, err := f.n.rabbit.Shard(f.ctx, id)
		if fault.KindOf(err) == fault.NotFound {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, coffer.Place{Broker: "b-" + id.String(), Shard: shard, Moving: moves})
	}
	slices.SortFunc(list, func(a, b coffer.Place) int {
		return strings.Compare(a.Broker, b.Broker)
	})
	return list, nil
}

// Movable is [coffer.Brokers]'s.
func (f *fleet) Movable(id string, shard int) error {
	if last := f.n.rabbit.Shards(); shard < 1 || shard > last {
		return fault.New(fault.Invalid, "The queue shards are 1 to %d.", last)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.placed(id)
	switch {
	case b == nil:
		return fault.New(fault.NotFound, "Broker %s does not exist.", id)
	case b.phase != mq.Serving:
		return fault.New(fault.Conflict, "Broker %s is not running.", id)
	}
	return nil
}

// Rekey is [coffer.Brokers]'s.
func (f *fleet) Rekey(ctx context.Context, id string, owned bool, key string) (string, error) {
	return f.n.mq.Rekey(ctx, id, owned, key)
}

// placed gives the broker with that id, or nil. It is called with mu held.
func (f *fleet) placed(id string) *instance {
	x, err := uuid.Parse(strings.TrimPrefix(id, "b-"))
	if err != nil {
		return nil
	}
	return f.brokers[x]
}

// Move is [coffer.Brokers]'s.
func (f *fleet) Move(id string, shard int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.placed(id)
	if b == nil || b.moving || f.ctx.Err() != nil {
		return
	}
	b.phase, b.moving = mq.Rebooting, true
	f.work.Go(func() {
		f.inTurn(b, func(b *instance) { f.move(b, shard) })
	})
}

// move ends the connections of a broker, brings it to another shard and starts it again
// where it is then. When the process stops meanwhile, the next one goes on.
func (f *fleet) move(b *instance, shard int) {
	f.leave(f.ctx, b)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer context.AfterFunc(f.ctx, func() { cancel(broker.ErrClosed) })()
	began := time.Now()
	err := f.n.rabbit.Move(ctx, b.run.ID, shard)
	if err != nil {
		f.n.log.Error("broker could not be moved", "broker", b.run.ID, "shard", shard, "error", err)
	} else {
		f.n.log.Info("broker was moved", "broker", b.run.ID, "shard", shard,
			"took", time.Since(began))
	}
	b.broker = nil // another one stands for it where it is now
	if f.ctx.Err() == nil {
		f.start(b)
	}
	f.mu.Lock()
	b.moving = false
	f.mu.Unlock()
}
