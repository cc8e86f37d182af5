package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// Shard gives the queue shard in which a broker lies, from 1 on.
func (e *Engine) Shard(ctx context.Context, id uuid.UUID) (int, error) {
	list, err := e.namespaces(ctx, id)
	if err != nil {
		return 0, err
	}
	shard, _ := e.core.ShardOf(list[0])
	return shard, nil
}

// Shards is the number of queue shards.
func (e *Engine) Shards() int { return len(e.core.Spread()) }

// Move brings the virtual hosts of a broker to another queue shard, one after the other,
// as [broker.Core.MoveNamespace] does. Its connections should be gone. The Broker that
// Open gave is of no use any more, and Open gives another one, also after an error.
func (e *Engine) Move(ctx context.Context, id uuid.UUID, shard int) error {
	list, err := e.namespaces(ctx, id)
	if err != nil {
		return err
	}
	for _, n := range list {
		if err := e.core.MoveNamespace(ctx, n, shard); err != nil {
			return fmt.Errorf("move broker %s: %w", id, err)
		}
	}
	return nil
}

// namespaces lists the virtual hosts of a broker, which has some.
func (e *Engine) namespaces(ctx context.Context, id uuid.UUID) (
	list []broker.NamespaceID, err error,
) {
	err = e.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableRabbit, id[:], func(row, value []byte) error {
			if row[len(id)] != rowVhost {
				return nil
			}
			var v vhostRow
			if err := json.Unmarshal(value, &v); err != nil {
				return fmt.Errorf("vhost of broker %s: %w", id, err)
			}
			list = append(list, broker.NamespaceID(v.Namespace))
			return nil
		})
	})
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "broker %s has no virtual host", id)
	}
	return list, err
}
