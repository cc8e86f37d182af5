package node

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
