package node

import (
	"context"
	"errors"
	"log/slog"
)

// alone gives fn a process on a directory that nothing serves, and which opens no doors:
// more are the steps of a start that it needs beside the state.
func alone(
	ctx context.Context, cfg *Config, fn func(*Node) error,
	more ...func(*Node, context.Context) error,
) error {
	cfg.Logger = slog.New(slog.DiscardHandler)
	n := newNode(*cfg)
	err := n.openStore(ctx)
	if err == nil {
		err = n.openState(ctx)
	}
	for _, step := range more {
		if err == nil {
			err = step(n, ctx)
		}
	}
	if err == nil {
		err = fn(n)
	}
	return errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
}
