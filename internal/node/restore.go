package node

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store/embedded"
)

// RestoreConfig says what to restore, and where to.
type RestoreConfig struct {
	From    string // a backup
	Data    string // directory, missing or empty
	RootKey string // file, to check that it opens the backup; empty = no check
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
	if err := cfg.checkRoot(); err != nil {
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
func (c *RestoreConfig) checkRoot() error {
	if c.RootKey == "" {
		return nil
	}
	if _, err := os.Stat(c.RootKey); err != nil {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("--root-key: %v", err))
	}
	key, err := rootKey(&Config{RootKey: c.RootKey, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer key.Wipe()
	file := filepath.Join(c.From, fileCheck)
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the start will tell
	}
	if err != nil {
		return err
	}
	if body, sum, _ := bytes.Cut(want, []byte("crc32c ")); string(sum) != checksum(body) {
		return fault.New(fault.Invalid, "%s is damaged: it is not what was backed up", file)
	}
	got, err := rootCheck(key)
	if err == nil && !hmac.Equal(got, want) {
		err = fault.Wrap(fault.Invalid, control.ErrRootKey, "the root key "+c.RootKey+
			" does not open the backup in "+c.From+"; nothing was restored")
	}
	return err
}
