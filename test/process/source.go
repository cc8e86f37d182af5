package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// noteSources opens the folders that the binary is built of. The go tool takes
// an earlier result for that of a test whose opened files did not change, and
// does not know what the process runs that the test started.
func noteSources() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return errors.New("the test does not run inside the module")
		}
		dir = filepath.Dir(dir)
	}
	for _, top := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(dir, top),
			func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return err
		}
	}
	return nil
}
