package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
)

// nextKey is added to the name of a root key file while it is replaced in its place.
const nextKey = ".next"

// rotation is a root key that a process is to go over to; it travels on the operator's
// socket alone.
type rotation struct {
	Key    []byte `json:"key"`
	Header []byte `json:"header"`
	File   string `json:"file"` // where the key is to stand; "" = nowhere
}

// RotateRoot has the process that serves a data directory go over to another root key.
func RotateRoot(ctx context.Context, data string, made *rootkey.Made) error {
	file := made.File
	if file != "" {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	in := rotation{Key: made.Key, Header: made.Header.Encode(nil), File: file}
	return askOperator(ctx, data, "rotate", in, &RootStatus{})
}

// rotateRoot goes over to another root key. A crash at any step leaves a directory that
// the old or the new key opens, by the row of the store, and the next start ends what was
// begun; a key in a file is there before anything rests on it.
func (n *Node) rotateRoot(ctx context.Context, in rotation) (any, error) {
	defer clear(in.Key)
	header, _, err := rootkey.ParseHeader(in.Header)
	if err == nil {
		err = header.Check(in.Key)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the new root key cannot be read")
	}
	n.rootTurn.Lock() // no backup has the one key inside and the other beside
	defer n.rootTurn.Unlock()
	k, ctx := n.keeper, context.WithoutCancel(ctx)
	if header.Same(k.header) || errors.Is(k.header.Check(in.Key), rootkey.ErrRetired) {
		return nil, fault.New(fault.Invalid, "this is or was the root key: nothing was changed")
	}
	header.Retire(k.header)
	own, err := filesKey(in.Key)
	if err != nil {
		return nil, err
	}
	written, err := placeKey(in.File, in.Key)
	if err != nil {
		return nil, err
	}
	if err := writeFile(k.file(), k.header.Encode(header), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", fileCheck, err)
	}
	record := n.keyEvent("RotateRootKey", map[string]any{"kind": string(header.Kind)})
	if err := n.db.RotateRoot(ctx, in.Key, header.Encode(nil), record); err != nil {
		return nil, fmt.Errorf("rotate root key: %w; restart to see which one counts", err)
	}
	k.header, n.filesKey = header, own
	n.noteKeyFile(rootkey.Source{Kind: header.Kind, Place: rootkey.File, Name: in.File})
	n.counts.rootKeys.Inc()
	n.log.Warn("the root key was replaced; backups that were made before open with the old one",
		"kind", header.Kind)
	if written != in.File {
		if err = os.Rename(written, in.File); err == nil {
			err = syncDir(filepath.Dir(in.File))
		}
		if err != nil {
			return nil, fmt.Errorf("the new root key counts and stands in %s: %w", written, err)
		}
	}
	// The last, for until then a start looks for the key beside its file, too.
	if err := writeFile(k.file(), header.Encode(nil), 0o600); err != nil {
		return nil, fmt.Errorf("the new root key counts; write %s: %w", fileCheck, err)
	}
	return n.rootStatus(), nil
}

// placeKey writes a key for a file: beside it when there is one.
func placeKey(file string, key seal.Secret) (written string, err error) {
	if file == "" {
		return "", nil
	}
	written = file
	if _, err := os.Stat(file); err == nil {
		written = file + nextKey
		// Of a rotation that did not come about: a start has seen to that.
		if err := os.Remove(written); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return written, writeKeyFile(written, key)
}

// resolve finds which of two root keys counts, after a crash while one was replaced: the
// store has the header of that one.
func (k *rootKeeper) resolve(next *rootkey.Header) error {
	text, err := storedHeader(k.store())
	if err != nil {
		return fmt.Errorf("find which root key counts: %w", err)
	}
	if text == nil {
		return nil // of an older program, which did not know the next one
	}
	stored, _, err := rootkey.ParseHeader(text)
	if err == nil && next.Same(stored) {
		k.header = next
	}
	k.unfinished = true
	return err
}

// finish ends a replacement that a crash left, once the key has opened the store.
func (k *rootKeeper) finish() error {
	if !k.unfinished {
		return nil
	}
	if err := k.finishFile(); err != nil {
		return err
	}
	return writeFile(k.file(), k.header.Encode(nil), 0o600)
}

// finishFile puts the key that counts into its file.
func (k *rootKeeper) finishFile() error {
	if k.source.Kind != rootkey.Key || k.source.Place != rootkey.File {
		return nil
	}
	next := k.source
	next.Name += nextKey
	other, err := k.cfg.Secrets.Key(context.Background(), next)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer other.Wipe()
	if k.header.Check(other) == nil {
		err = os.Rename(next.Name, k.source.Name)
	} else {
		err = os.Remove(next.Name)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(next.Name))
}

// nextFile gives the key that was to take the place of the one in the file, when that is
// the one that counts.
func (k *rootKeeper) nextFile(ctx context.Context, key seal.Secret) seal.Secret {
	if !k.unfinished || k.source.Kind != rootkey.Key || k.source.Place != rootkey.File ||
		k.header.Check(key) == nil {
		return key
	}
	next := k.source
	next.Name += nextKey
	other, err := k.cfg.Secrets.Key(ctx, next)
	if err != nil || k.header.Check(other) != nil {
		return key
	}
	key.Wipe()
	return other
}
