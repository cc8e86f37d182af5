package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// pollBackup is how often a backup that is being made is looked at.
const pollBackup = 50 * time.Millisecond

// BackupConfig says what to back up, and where to.
type BackupConfig struct {
	Data string // directory; ./coffer-data
	To   string // directory, missing or empty or with a part of the same backup
	// RootKey is that of [Config], for a directory that nothing runs on.
	RootKey string
	Secrets rootkey.Reader
	Version string // of the program
}

// BackupResult is what Backup did.
type BackupResult struct {
	*embedded.Copied
	Offline bool   // nothing ran on the directory
	Secrets bool   // the sealed files of FILES are in it
	Undone  error  // the copy in the data directory could not be dropped; nil = it was
	RootKey string // file that has to be kept apart; empty = it is not beside the data
}

// Backup makes a backup of a data directory, by way of the process that runs on
// it, else alone. After an interruption at any point the same call goes on.
func Backup(ctx context.Context, cfg BackupConfig) (*BackupResult, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	src, err := openSource(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	r, err := backUp(ctx, &cfg, src)
	if cerr := src.close(); err == nil {
		err = cerr
	}
	return r, err
}

// AbortBackups drops the copies in a data directory that no backup will be made of
// any more: that of the one begun in cfg.To, or all when To is empty. It gives
// their ids. What lies in To stays.
func AbortBackups(ctx context.Context, cfg BackupConfig) (ids []string, err error) {
	only := ""
	if cfg.To != "" {
		if only, _, err = embedded.Unfinished(cfg.To); err != nil {
			return nil, err
		}
		if only == "" {
			return nil, fault.New(fault.NotFound, "%s holds no backup that was begun", cfg.To)
		}
	}
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	src, err := openSource(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	list, err := src.list(ctx)
	for _, id := range list {
		if err == nil && (only == "" || id == only) {
			err = src.drop(ctx, id, 0)
			ids = append(ids, id)
		}
	}
	return ids, errors.Join(err, src.close())
}

func (c *BackupConfig) fill() (err error) {
	set(&c.Data, "./coffer-data")
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Data, dirStore)); errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Invalid, "%s is no data directory of coffer: name it with --data",
			c.Data)
	}
	if c.To == "" {
		return nil
	}
	if c.To, err = filepath.Abs(c.To); err != nil {
		return err
	}
	if rel, err := filepath.Rel(c.Data, c.To); err == nil && filepath.IsLocal(rel) {
		return fault.New(fault.Invalid,
			"%s is in the data directory, and would be lost with it: choose another", c.To)
	}
	return nil
}

// source makes and drops the copies that a backup is made of.
type source interface {
	// create makes one and waits for it.
	create(ctx context.Context) (id string, err error)
	// list gives the ids of those that are there.
	list(ctx context.Context) ([]string, error)
	// drop removes one, of which so many bytes were copied; 0: not all of it.
	drop(ctx context.Context, id string, copied uint64) error
	close() error
}

func openSource(ctx context.Context, cfg *BackupConfig) (source, error) {
	client, err := dialAPI(ctx, cfg.Data)
	if err == nil {
		return &online{client, api.Client{Caller: client}}, nil
	}
	if fault.KindOf(err) != fault.Unavailable {
		return nil, err
	}
	engine, oerr := embedded.Open(embedded.Config{
		Dir: filepath.Join(cfg.Data, dirStore), Writer: cfg.Version,
		Logger: slog.New(slog.DiscardHandler),
	})
	if errors.Is(oerr, store.ErrInUse) {
		return nil, fault.Wrap(fault.Conflict, err, "a process holds "+cfg.Data+
			" and does not answer: wait until it serves, or stop it")
	}
	if oerr != nil {
		return nil, oerr
	}
	return &offline{cfg, engine}, nil
}

func backUp(ctx context.Context, cfg *BackupConfig, src source) (*BackupResult, error) {
	r := &BackupResult{}
	_, r.Offline = src.(*offline)
	if err := embedded.CheckTarget(cfg.To); err != nil {
		return nil, err
	}
	id, complete, err := embedded.Unfinished(cfg.To)
	if err != nil {
		return nil, err
	}
	have, err := src.list(ctx)
	if err != nil {
		return nil, err
	}
	switch there := slices.Contains(have, id); {
	case complete && !there:
		return nil, fault.New(fault.Exists, "%s holds a complete backup already: "+
			"choose another directory", cfg.To)
	case id != "" && !there:
		return nil, fault.New(fault.Exists, "%s holds a part of backup %s, of which nothing is "+
			"left in %s: remove it and begin again", cfg.To, id, cfg.Data)
	case id == "":
		if id, err = src.create(ctx); err != nil {
			return nil, err
		}
	}
	from := embedded.CheckpointDir(filepath.Join(cfg.Data, dirStore), id)
	if r.Copied, err = embedded.CopyCheckpoint(ctx, from, cfg.To); err != nil {
		if begun, _, uerr := embedded.Unfinished(cfg.To); begun != id || uerr != nil {
			// Nobody could go on with it.
			err = errors.Join(err, src.drop(context.WithoutCancel(ctx), id, 0))
		}
		return nil, err
	}
	r.Secrets = slices.ContainsFunc(r.Files,
		func(f embedded.BackupFile) bool { return f.Name == fileFiles })
	if _, err := os.Stat(filepath.Join(cfg.Data, fileRootKey)); err == nil {
		r.RootKey = filepath.Join(cfg.Data, fileRootKey)
	}
	r.Undone = src.drop(ctx, id, uint64(r.Size()))
	return r, nil
}

// online asks the process.
type online struct {
	*apiClient
	api api.Client
}

func (o *online) create(ctx context.Context) (string, error) {
	out, err := o.api.CreateBackup(ctx, &api.CreateBackupInput{})
	if err != nil {
		return "", err
	}
	b := out.Backup
	for tick := time.NewTicker(pollBackup); b.State == api.BackupStateCreating; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		in := &api.DescribeBackupInput{BackupId: b.BackupId}
		out, err := o.api.DescribeBackup(ctx, in)
		if err != nil {
			return "", err
		}
		b = out.Backup
	}
	if b.State != api.BackupStateAvailable {
		return "", fault.New(fault.Unavailable, "the process could not make the backup: %s",
			b.Reason)
	}
	return b.BackupId, nil
}

func (o *online) list(ctx context.Context) (ids []string, err error) {
	out, err := o.api.ListBackups(ctx, &api.ListBackupsInput{})
	if err != nil {
		return nil, err
	}
	for _, b := range out.Backups {
		if b.State == api.BackupStateAvailable {
			ids = append(ids, b.BackupId)
		}
	}
	return ids, nil
}

func (o *online) drop(ctx context.Context, id string, copied uint64) error {
	in := &api.DeleteBackupInput{BackupId: id}
	if copied > 0 {
		in.CopiedBytes = new(int64(copied))
	}
	_, err := o.api.DeleteBackup(ctx, in)
	if err != nil {
		return err
	}
	for tick := time.NewTicker(pollBackup); ; {
		_, err := o.api.DescribeBackup(ctx, &api.DescribeBackupInput{BackupId: id})
		if fault.KindOf(err) == fault.NotFound {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// offline has the directory to itself.
type offline struct {
	cfg    *BackupConfig
	engine *embedded.Engine
}

func (o *offline) create(ctx context.Context) (string, error) {
	key, err := o.key(ctx)
	if err != nil {
		return "", err
	}
	defer key.Wipe()
	extra, err := besideStore(o.cfg.Data, key)
	if err != nil {
		return "", err
	}
	b, err := o.engine.Checkpoint(embedded.CheckpointConfig{
		Version: o.cfg.Version, Now: time.Now(), Extra: extra,
	})
	if err != nil {
		return "", err
	}
	return b.ID, nil
}

// key gives the key of FILES, or nil when the root key is not there.
func (o *offline) key(ctx context.Context) (seal.Secret, error) {
	k := &rootKeeper{cfg: &Config{
		Data: o.cfg.Data, RootKey: o.cfg.RootKey, Secrets: o.cfg.Secrets,
		Logger: slog.New(slog.DiscardHandler),
	}}
	root, err := k.present(ctx)
	if errors.Is(err, errNoRootKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return filesKey(root)
}

func (o *offline) list(context.Context) (ids []string, err error) {
	all, err := o.engine.Checkpoints()
	for _, b := range all {
		ids = append(ids, b.ID)
	}
	return ids, err
}

func (o *offline) drop(_ context.Context, id string, _ uint64) error {
	return o.engine.DropCheckpoint(id)
}

func (o *offline) close() error { return o.engine.Close() }

// Summary tells people what was done and what they have to do.
func (r *BackupResult) Summary(to string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "backup %s of %s is complete in %s: %d files, %.1f MiB\n", r.ID,
		r.Created.Format(time.RFC3339), to, len(r.Files), float64(r.Size())/(1<<20))
	if r.Done {
		b.WriteString("it was complete before\n")
	} else if r.Kept > 0 {
		fmt.Fprintf(&b, "%d files were there from an earlier, interrupted run\n", r.Kept)
	}
	if r.RootKey != "" {
		fmt.Fprintf(&b, "it is sealed, and %s is not in it: keep a copy of that file apart; "+
			"without it nobody can open the backup, with it everybody\n", r.RootKey)
	} else {
		b.WriteString("it is sealed under the root key, which is not in it\n")
	}
	if !r.Secrets {
		b.WriteString("the files credentials and main-admin are not in it, because the root key " +
			"was not there to seal them: keep copies apart\n")
	}
	if r.Undone != nil {
		fmt.Fprintf(&b, "the copy in the data directory could not be dropped (%v): the process "+
			"drops it within a day, `coffer backup --abort` now\n", r.Undone)
	}
	return b.String()
}
