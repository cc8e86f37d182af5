package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/store/embedded"
)

// RestoreConfig says what to restore, and where to.
type RestoreConfig struct {
	From string // a backup
	Data string // directory, missing or empty
	// RootKey is that of [Config], to check that it opens the backup; empty = no check.
	RootKey string
	Secrets rootkey.Reader
}

// Restore makes a data directory of a backup: whole, or not at all. It has an
// incarnation of its own.
func Restore(ctx context.Context, cfg RestoreConfig) (*embedded.Backup, error) {
	for _, p := range []*string{&cfg.From, &cfg.Data} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		*p = abs
	}
	if _, err := embedded.ReadBackup(cfg.From); err != nil {
		return nil, err
	}
	if err := cfg.vacant(); err != nil {
		return nil, err
	}
	if err := cfg.checkRoot(ctx); err != nil {
		return nil, err
	}
	half := filepath.Join(filepath.Dir(cfg.Data), "."+filepath.Base(cfg.Data)+".restoring")
	// Of an earlier call that was killed.
	if err := os.RemoveAll(half); err != nil {
		return nil, err
	}
	b, err := embedded.RestoreBackup(ctx, cfg.From, filepath.Join(half, dirStore), time.Now())
	if err == nil {
		err = cfg.move(half)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = fault.Wrap(fault.Exhausted, err, "no room to restore in "+filepath.Dir(cfg.Data))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(half))
	}
	return b, nil
}

// vacant refuses a directory that has something in it.
func (c *RestoreConfig) vacant() error {
	list, err := os.ReadDir(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(filepath.Dir(c.Data), 0o700)
	case err != nil:
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("--data: %v", err))
	case len(list) > 0:
		return fault.New(fault.Exists, "%s is not empty: nothing is restored over it", c.Data)
	}
	return nil
}

// move puts the finished directory in its place.
func (c *RestoreConfig) move(half string) error {
	if err := syncDir(half); err != nil {
		return err
	}
	if err := os.Remove(c.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it got content meanwhile
	}
	if err := os.Rename(half, c.Data); err != nil {
		return err
	}
	return syncDir(filepath.Dir(c.Data))
}

// checkRoot refuses a root key that does not open the backup.
func (c *RestoreConfig) checkRoot(ctx context.Context) error {
	if c.RootKey == "" {
		return nil
	}
	k := &rootKeeper{cfg: &Config{
		Data: c.From, RootKey: c.RootKey, Secrets: c.Secrets, Logger: slog.New(slog.DiscardHandler),
	}}
	return k.checkBackup(ctx, c.From)
}
