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

// errNoRootKey: it is not where it should be.
var errNoRootKey = errors.New("there is no root key")

// rootKeeper gets the root key of a data directory, and keeps what stands beside the
// data about it.
type rootKeeper struct {
	cfg    *Config
	header *rootkey.Header // nil: of a program that wrote none, or gone
	source rootkey.Source
	// unfinished: a crash interrupted the replacement of the key, see resolve.
	unfinished bool
}

// rootKey reads the root key, or makes one for a store that does not exist. A wrong one
// is refused before anything is touched.
func rootKey(ctx context.Context, cfg *Config) (seal.Secret, *rootKeeper, error) {
	k := &rootKeeper{cfg: cfg}
	err := k.readHeader()
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(k.store()); k.header == nil && errors.Is(err, fs.ErrNotExist) {
		return k.first(ctx)
	}
	key, err := k.get(ctx)
	return key, k, err
}

// present is rootKey for a store that is there.
func (k *rootKeeper) present(ctx context.Context) (seal.Secret, error) {
	if err := k.readHeader(); err != nil {
		return nil, err
	}
	return k.get(ctx)
}

func (k *rootKeeper) get(ctx context.Context) (key seal.Secret, err error) {
	if k.source, err = k.choose(); err != nil {
		return nil, err
	}
	if key, err = k.read(ctx); err == nil {
		key = k.nextFile(ctx, key)
		err = k.check(key)
	}
	if err != nil {
		key.Wipe()
		return nil, err
	}
	return key, nil
}

func (k *rootKeeper) store() string { return filepath.Join(k.cfg.Data, dirStore) }
func (k *rootKeeper) file() string  { return filepath.Join(k.store(), fileCheck) }

// text is the header of a store that is to be.
func (k *rootKeeper) text() []byte {
	if k.header == nil {
		return nil
	}
	return k.header.Encode(nil)
}

// readHeader reads what stands beside the data, or the store has when that is gone.
func (k *rootKeeper) readHeader() error {
	text, err := os.ReadFile(k.file())
	if errors.Is(err, fs.ErrNotExist) {
		text, err = storedHeader(k.store())
		if text == nil || err != nil {
			return nil // a first start, an older store, or a damaged one, which tells itself
		}
	}
	if err != nil {
		return err
	}
	var next *rootkey.Header
	if k.header, next, err = rootkey.ParseHeader(text); err == nil && next != nil {
		return k.resolve(next)
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, k.file()+" is damaged, so that the root key "+
			"cannot be checked: restore it from a backup or remove it, and the store itself "+
			"will tell; nothing was changed")
	}
	return nil
}

// storedHeader gives what the store has of the root key, and changes nothing.
func storedHeader(dir string) ([]byte, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, nil
	}
	i, err := embedded.Inspect(embedded.Config{Dir: dir}, func(string, error) {})
	if err != nil {
		return nil, err
	}
	var header []byte
	if ids, _ := i.Shards(); len(ids) > 0 {
		snap := i.Snapshot(0)
		header, err = control.RootHeader(snap)
		err = errors.Join(err, snap.Close())
	}
	return header, errors.Join(err, i.Close())
}

// choose gives the source that is set, or the usual one of what the key is made of.
func (k *rootKeeper) choose() (rootkey.Source, error) {
	kind := rootkey.Key
	if k.header != nil {
		kind = k.header.Kind
	}
	usual := rootkey.Source{
		Kind: rootkey.Key, Place: rootkey.File, Name: filepath.Join(k.cfg.Data, fileRootKey),
	}
	switch kind {
	case rootkey.Shares:
		usual = rootkey.Source{Kind: kind}
	case rootkey.Passphrase:
		usual = rootkey.Source{Kind: kind, Place: rootkey.Prompt}
	}
	if k.cfg.RootKey == "" {
		return usual, nil
	}
	s, err := rootkey.ParseSource(k.cfg.RootKey)
	switch {
	case err != nil:
		return s, fault.Wrap(fault.Invalid, err, "--root-key: "+told(err))
	case k.header != nil && s.Kind != kind:
		return s, fault.New(fault.Invalid, "--root-key: the root key of %s is %s, and %s gives "+
			"one that is %s; nothing was changed", k.cfg.Data, kind.Describe(), s,
			s.Kind.Describe())
	}
	return s, nil
}

func (k *rootKeeper) read(ctx context.Context) (seal.Secret, error) {
	if k.source.Kind == rootkey.Shares {
		if k.header == nil {
			return nil, fault.New(fault.Invalid, "%s is missing, and no shares open the store "+
				"without it: restore it from a backup; nothing was changed", k.file())
		}
		if k.cfg.unseal != nil && k.source.Place == "" {
			return k.cfg.unseal(ctx, k)
		}
		return k.cfg.Secrets.Gather(ctx, k.source, k.header)
	}
	if k.source.Kind == rootkey.Passphrase {
		if k.header == nil {
			return nil, fault.New(fault.Invalid, "%s is missing, and no passphrase opens "+
				"the store without it: restore it from a backup; nothing was changed", k.file())
		}
		words, err := k.cfg.Secrets.Words(ctx, k.source, false)
		if err != nil {
			return nil, err
		}
		defer words.Wipe()
		return k.header.Derive(words), nil
	}
	key, err := k.cfg.Secrets.Key(ctx, k.source)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Invalid, errNoRootKey, fmt.Sprintf("root key %s is missing, "+
			"and %s holds data sealed under it: put the file back, or name it with --root-key",
			k.source, k.store()))
	}
	if err == nil {
		k.warnOpen()
	}
	return key, err
}

// warnOpen tells of a file that others can read.
func (k *rootKeeper) warnOpen() {
	if k.source.Place != rootkey.File {
		return
	}
	info, err := os.Stat(k.source.Name)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		k.cfg.Logger.Warn("the root key file can be read by others; chmod 600 it",
			"file", k.source.Name, "mode", info.Mode().Perm().String())
	}
}

// check refuses a root key that is not the one of the store. To open a store changes its
// files, so that has to be known before.
func (k *rootKeeper) check(key seal.Secret) error {
	if k.header == nil {
		return nil // the state itself will tell
	}
	err := k.header.Check(key)
	if err == nil {
		return nil
	}
	return k.wrong(fmt.Errorf("%w: %w", control.ErrRootKey, err))
}

func (k *rootKeeper) wrong(err error) error {
	if errors.Is(err, rootkey.ErrRetired) {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("the root key %s was replaced and opens "+
			"%s no more, only backups that were made before: name the new one with --root-key; "+
			"nothing was changed", k.source, k.cfg.Data))
	}
	return fault.Wrap(fault.Invalid, err, fmt.Sprintf("the root key %s does not open %s: "+
		"name the right one with --root-key; nothing was changed", k.source, k.cfg.Data))
}

// first makes the root key of a store that is to be. The header is written before the
// store: without it nobody could derive the key again.
func (k *rootKeeper) first(ctx context.Context) (seal.Secret, *rootKeeper, error) {
	var err error
	if k.source, err = k.choose(); err != nil {
		return nil, nil, err
	}
	key, header, err := k.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	k.header = header
	if err := os.MkdirAll(k.store(), 0o700); err != nil {
		return nil, nil, fmt.Errorf("data directory: %w", err)
	}
	made, err := createFile(k.file(), header.Encode(nil))
	if err != nil {
		return nil, nil, fmt.Errorf("write %s: %w", fileCheck, err)
	}
	if !made { // another process starts on this directory, too
		key.Wipe()
		return rootKey(ctx, k.cfg)
	}
	return key, k, nil
}

func (k *rootKeeper) begin(ctx context.Context) (seal.Secret, *rootkey.Header, error) {
	if k.source.Kind == rootkey.Shares {
		return nil, nil, fault.New(fault.Invalid, "--root-key: %s has no data yet, and so nobody "+
			"has shares: make it with coffer root init --to shares", k.cfg.Data)
	}
	if k.source.Kind == rootkey.Passphrase {
		words, err := k.cfg.Secrets.Words(ctx, k.source, true)
		if err != nil {
			return nil, nil, err
		}
		defer words.Wipe()
		return rootkey.NewPassphrase(words)
	}
	key, err := k.cfg.Secrets.Key(ctx, k.source)
	if errors.Is(err, fs.ErrNotExist) && k.source.Place == rootkey.File {
		return k.newFile(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	k.warnOpen()
	h, err := rootkey.NewHeader(key, nil)
	return key, h, err
}

func (k *rootKeeper) newFile(ctx context.Context) (seal.Secret, *rootkey.Header, error) {
	key, h, err := rootkey.NewKey()
	if err != nil {
		return nil, nil, err
	}
	text := rootkey.FormatKey(key)
	defer text.Wipe()
	made, err := createFile(k.source.Name, text)
	if err != nil {
		return nil, nil, fmt.Errorf("write root key: %w", err)
	}
	if !made { // another process starts on this directory, too
		key.Wipe()
		return k.begin(ctx)
	}
	k.cfg.Logger.Warn("a new root key was made beside the data; it protects only a copied store/",
		"file", k.source.Name)
	return key, h, nil
}

// keep writes what stands beside the data, once the key has opened the state: it was
// right, so that a file that was gone may be written again.
func (k *rootKeeper) keep(key seal.Secret) error {
	if k.header == nil {
		var err error
		if k.header, err = rootkey.NewHeader(key, nil); err != nil {
			return err
		}
	}
	if err := k.finish(); err != nil {
		return err
	}
	made, err := createFile(k.file(), k.header.Encode(nil))
	if made {
		k.cfg.Logger.Warn("a file of the data directory was missing; it was written again, "+
			"because the root key opened the store", "file", k.file())
	}
	return err
}

// checkBackup refuses a root key that does not open the backup in dir.
func (k *rootKeeper) checkBackup(ctx context.Context, dir string) error {
	file := filepath.Join(dir, fileCheck)
	text, err := os.ReadFile(file)
	if err == nil {
		if k.header, _, err = rootkey.ParseHeader(text); err != nil {
			return fault.New(fault.Invalid, "%s is damaged: it is not what was backed up", file)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if k.source, err = k.choose(); err != nil {
		return err
	}
	var key seal.Secret
	if k.source.Kind == rootkey.Key {
		key, err = k.cfg.Secrets.Key(ctx, k.source)
	} else {
		key, err = k.read(ctx)
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("--root-key: %v", err))
	}
	defer key.Wipe()
	if k.header == nil {
		return nil // the start will tell
	}
	if err := k.header.Check(key); err != nil {
		return fault.Wrap(fault.Invalid, fmt.Errorf("%w: %w", control.ErrRootKey, err),
			"the root key "+k.source.String()+" does not open the backup in "+dir+
				"; nothing was restored")
	}
	return nil
}
