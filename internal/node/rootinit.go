package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
	"coffer/internal/store/embedded"
)

// InitRoot makes a data directory whose root key was made before, for which a first start
// would make another one. Nothing may be there. Of cfg only Data and Version count.
func InitRoot(ctx context.Context, cfg Config, made *rootkey.Made) error {
	if err := cfg.fill(); err != nil {
		return err
	}
	k := &rootKeeper{cfg: &cfg, header: made.Header}
	if _, err := os.Stat(k.store()); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Exists, "%s holds data already, under another root key: "+
			"change that with coffer root rotate", cfg.Data)
	}
	if err := os.MkdirAll(k.store(), 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := writeKeyFile(made.File, made.Key); err != nil {
		return err
	}
	if made, err := createFile(k.file(), k.text()); err != nil || !made {
		return errors.Join(err, fmt.Errorf("write %s", fileCheck))
	}
	engine, err := embedded.Open(embedded.Config{
		Dir: k.store(), Logger: cfg.Logger, Writer: cfg.Version,
	})
	if err != nil {
		return fmt.Errorf("make store: %w", err)
	}
	shard, err := engine.Open(ctx, 0)
	if err == nil {
		_, err = control.Open(ctx, shard, made.Key, control.Config{
			Incarnation: engine.Identity().Incarnation, RootHeader: k.text(),
		})
	}
	return errors.Join(err, engine.Close())
}

// writeKeyFile writes a new root key where nothing may be; "" is nowhere.
func writeKeyFile(path string, key seal.Secret) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text := rootkey.FormatKey(key)
	defer text.Wipe()
	made, err := createFile(path, text)
	if err == nil && !made {
		err = fault.New(fault.Exists, "%s is there already: nothing is written over it", path)
	}
	return err
}
