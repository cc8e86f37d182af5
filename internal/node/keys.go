package node

import (
	"context"
	"errors"
	"time"

	"coffer/internal/service/kms"
)

// keysEvery is how often it is looked what is due for keys by the clock. What is
// due counts at once; only what is left of it waits to be swept.
const keysEvery = time.Minute

// keepKeys does what is due for keys and stores what they were used for, now and
// until the process stops. What
// fails is tried again: it must not keep brokers under other keys from serving.
func (n *Node) keepKeys(ctx context.Context, keys *kms.Service) {
	sweep := func(ctx context.Context) {
		err := errors.Join(keys.Sweep(ctx), keys.FlushUses(ctx))
		if err != nil && ctx.Err() == nil {
			n.log.Error("what is due for keys failed", "error", err)
		}
	}
	sweep(ctx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(keysEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				sweep(ctx)
			}
		}
	}()
	n.onStop(func(ctx context.Context) error {
		cancel()
		<-done
		if err := keys.FlushUses(ctx); err != nil { // the audit trail has them, too
			n.log.Error("the last uses of keys could not be stored", "error", err)
		}
		return nil
	})
}
