package node

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Files of the data directory beside store/.
const (
	fileRootKey     = "root.key"
	fileEndpoints   = "endpoints.json"
	fileCredentials = "credentials" // AWS's shared-credentials format
	fileMainAdmin   = "main-admin"  // the password of broker main's admin
	fileCA          = "ca.pem"
	dirStore        = "store"
	fileCheck       = "ROOTCHECK" // in store/: tells a wrong root key before the store is opened
)

// Endpoints is what endpoints.json holds: every open listener of a running
// process.
type Endpoints struct {
	Hostname  string `json:"hostname"`
	API       int    `json:"api"`
	AMQP      int    `json:"amqp"`                // of broker main
	AMQPPlain int    `json:"amqpPlain,omitempty"` // of broker main, plaintext on loopback
	Metrics   int    `json:"metrics"`
	// Management is the HTTPS port of the management API of broker main; further
	// brokers have it by server name.
	Management int `json:"management,omitempty"`
	// Brokers are the AMQP ports by broker id.
	Brokers map[string]int `json:"brokers"`
}

// writeFile replaces a file so that a crash leaves the old or the new one.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// createFile makes a whole file of mode 0600 unless there is one.
func createFile(path string, data []byte) (made bool, err error) {
	tmp := path + ".new-" + rand.Text()
	if err := writeFile(tmp, data, 0o600); err != nil {
		return false, err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, path); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, syncDir(filepath.Dir(path))
}

// removeHalves removes what writeFile and createFile of a process that was killed
// left: it may be a copy of a secret. The caller holds the store's lock, so
// nobody else is writing there.
func removeHalves(dirs ...string) error {
	for _, dir := range dirs {
		list, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, f := range list {
			half := strings.HasPrefix(f.Name(), ".tmp-") ||
				strings.HasPrefix(f.Name(), fileRootKey+".new-") ||
				strings.HasPrefix(f.Name(), fileCheck+".new-") ||
				strings.HasPrefix(f.Name(), fileCredentials+".new-") ||
				strings.HasPrefix(f.Name(), fileMainAdmin+".new-")
			if !half {
				continue
			}
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func (e *Endpoints) write(data string) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(data, fileEndpoints), append(b, '\n'), 0o644)
}

// rootKey reads the root key, or makes one beside a store that does not exist.
func rootKey(cfg *Config) (seal.Secret, error) {
	text, err := os.ReadFile(cfg.RootKey)
	if errors.Is(err, fs.ErrNotExist) {
		return newRootKey(cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("read root key: %w", err)
	}
	defer clear(text)
	key := make(seal.Secret, seal.KeySize)
	digits := bytes.TrimSpace(text)
	if len(digits) == 2*seal.KeySize {
		_, err = hex.Decode(key, digits)
	}
	if err != nil || len(digits) != 2*seal.KeySize {
		return nil, fault.New(fault.Invalid, "root key %s: not 64 hexadecimal digits", cfg.RootKey)
	}
	if info, err := os.Stat(cfg.RootKey); err == nil && info.Mode().Perm()&0o077 != 0 {
		cfg.Logger.Warn("the root key file can be read by others; chmod 600 it",
			"file", cfg.RootKey, "mode", info.Mode().Perm().String())
	}
	return key, nil
}

func newRootKey(cfg *Config) (seal.Secret, error) {
	store := filepath.Join(cfg.Data, dirStore)
	if _, err := os.Stat(store); !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Invalid, "root key %s is missing, and %s holds data sealed "+
			"under it: put the file back, or name it with --root-key", cfg.RootKey, store)
	}
	key := make(seal.Secret, seal.KeySize)
	rand.Read(key)
	text := append(hex.AppendEncode(nil, key), '\n')
	defer clear(text)
	made, err := createFile(cfg.RootKey, text)
	if err != nil {
		return nil, fmt.Errorf("write root key: %w", err)
	}
	if !made { // another process starts on this directory, too
		return rootKey(cfg)
	}
	cfg.Logger.Warn("a new root key was made beside the data; it protects only a copied store/",
		"file", cfg.RootKey)
	return key, nil
}

// checkRoot refuses a root key that is not the one the store was made with. To
// open a store changes its files, so that has to be known before.
func checkRoot(cfg *Config, key seal.Secret) error {
	file := filepath.Join(cfg.Data, dirStore, fileCheck)
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a first start; else the state itself will tell
	}
	if err != nil {
		return err
	}
	if body, sum, _ := bytes.Cut(want, []byte("crc32c ")); string(sum) != checksum(body) {
		return fault.New(fault.Invalid, "%s is damaged, so that the root key cannot be checked: "+
			"restore it from a backup or, if %s is surely right, remove it; nothing was changed",
			file, cfg.RootKey)
	}
	got, err := rootCheck(key)
	if err == nil && !hmac.Equal(got, want) {
		err = wrongRoot(cfg, control.ErrRootKey)
	}
	return err
}

// keepCheck writes what checkRoot reads, once the key has opened the state: it was
// right, so that a file that was gone may be written again. first tells that there
// was no state yet.
func keepCheck(cfg *Config, key seal.Secret, first bool) error {
	got, err := rootCheck(key)
	if err != nil {
		return err
	}
	file := filepath.Join(cfg.Data, dirStore, fileCheck)
	made, err := createFile(file, got)
	if made && !first {
		cfg.Logger.Warn("a file of the data directory was missing; it was written again, because "+
			"the root key opened the store", "file", file)
	}
	return err
}

// rootCheck gives a line that tells two root keys apart and nothing else, and a
// CRC-32C, which tells another key from a damaged file.
func rootCheck(key seal.Secret) ([]byte, error) {
	m, err := seal.NewMACKey(key, "node/root-check")
	if err != nil {
		return nil, err
	}
	body := fmt.Appendf(nil, "coffer-root 1 %x\n", m.Sum())
	return append(append(body, "crc32c "...), checksum(body)...), nil
}

func checksum(body []byte) string {
	return fmt.Sprintf("%08x\n", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func wrongRoot(cfg *Config, err error) error {
	return fault.Wrap(fault.Invalid, err, "the root key "+cfg.RootKey+" does not open "+
		cfg.Data+": name the right one with --root-key; nothing was changed")
}
