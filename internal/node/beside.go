package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// fileFiles is, in a backup and in store/ until the first start of what was
// restored, the files beside the store that clients need, sealed.
const fileFiles = "FILES"

const (
	filesPurpose = "backup-files"
	filesLabel   = "node/backup-files"
)

// secretFiles are written once and cannot be made again; without them nobody gets
// in.
func secretFiles() []string { return []string{fileCredentials, fileMainAdmin} }

// filesKey gives the key of FILES, which opens nothing else: the process keeps it
// while it runs, and not the root key.
func filesKey(root seal.Secret) (seal.Secret, error) {
	m, err := seal.NewMACKey(root, filesLabel)
	if err != nil {
		return nil, err
	}
	return append(m.Sum("1"), m.Sum("2")...), nil
}

// besideStore gives what a backup holds beside the store.
func (n *Node) besideStore() (map[string][]byte, error) {
	return besideStore(n.cfg.Data, n.filesKey)
}

// besideStore collects and seals; without a key the secret files are left out.
func besideStore(data string, key seal.Secret) (map[string][]byte, error) {
	extra := map[string][]byte{}
	check, err := os.ReadFile(filepath.Join(data, dirStore, fileCheck))
	if err == nil {
		extra[fileCheck] = check
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if key == nil {
		return extra, nil
	}
	files := map[string][]byte{}
	for _, name := range secretFiles() {
		text, err := os.ReadFile(filepath.Join(data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	text, err := json.Marshal(files)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	extra[fileFiles], err = seal.Wrap(key, filesPurpose, nil, text)
	return extra, err
}

// takeFiles writes the secret files of a restored directory, unless it has some.
func (n *Node) takeFiles() (err error) {
	if n.filesKey, err = filesKey(n.root); err != nil {
		return err
	}
	sealed := filepath.Join(n.cfg.Data, dirStore, fileFiles)
	files, err := openFiles(sealed, n.filesKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range secretFiles() {
		if files[name] == nil {
			continue
		}
		made, err := createFile(filepath.Join(n.cfg.Data, name), files[name])
		if err != nil {
			return err
		}
		if made {
			n.log.Info("a file of the data directory was restored", "file", name)
		}
	}
	if err := os.Remove(sealed); err != nil {
		return err
	}
	return syncDir(filepath.Dir(sealed))
}

// openFiles opens FILES.
func openFiles(path string, key seal.Secret) (map[string][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	clear, err := seal.Unwrap(key, filesPurpose, nil, text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; remove it to start without the files in it",
			store.ErrDamaged, path, err)
	}
	defer clear.Wipe()
	files := map[string][]byte{}
	if err := json.Unmarshal(clear, &files); err != nil {
		return nil, fault.New(fault.Invalid, "%s is of another version of coffer", path)
	}
	return files, nil
}
