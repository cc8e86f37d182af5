package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// Rotate replaces the platform key.
func (w *World) Rotate() error {
	key := make([]byte, seal.KeySize)
	return w.Control.RotatePlatform(w.T.Context(), key, func(context.Context, *control.Tx) error {
		return nil
	})
}

// Reseal seals anew what is stored in the queue shards under older platform keys, and
// finds none of it left.
func (w *World) Reseal() error {
	_, err := w.Core.Reseal(w.T.Context(), func(
		context.Context, store.ShardID, int,
	) error {
		return nil
	})
	if err != nil {
		return err
	}
	for i, sh := range []store.Shard{w.Shard, w.second} {
		n, err := w.Older(sh)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d rows of shard %d are under an older key", n, i+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Older counts what of a shard is under platform keys that were replaced.
func (w *World) Older(sh store.Shard) (older int64, err error) {
	snap := sh.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	it := snap.Iter(nil, nil)
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		key, value := it.Key(), it.Value()
		// A message is a box behind its length, and a record; bodies are no boxes.
		switch message := key[0]&0xfe == 0x10 && key[9] <= 2; {
		case key[0]&0xfe == 0x12:
			continue
		case message || key[0] == 0x28:
			value = value[4:]
		}
		if w.Control.Platform().Stale(bytes.Clone(value)) {
			older++
		}
	}
	return older, it.Err()
}

// rotate plays "rotate", which replaces the platform key, and "reseal".
func (p *player) rotate(command string) (string, error) {
	if command == "rotate" {
		return "", p.world.Rotate()
	}
	return "", p.world.Reseal()
}
