package embedded

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errReadOnly is a bug: an inspection tried to change the disk.
var errReadOnly = errors.New("store: change of a disk that is only read")

// readOnly is a file system on which nothing can be changed. Its locks exclude
// nobody: who uses it holds the directory in another way.
type readOnly struct{ vfs.FS }

var _ vfs.FS = readOnly{}

// Create is [vfs.FS]'s.
func (readOnly) Create(string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, errReadOnly
}

// OpenReadWrite is [vfs.FS]'s.
func (readOnly) OpenReadWrite(
	string, vfs.DiskWriteCategory, ...vfs.OpenOption,
) (vfs.File, error) {
	return nil, errReadOnly
}

// ReuseForWrite is [vfs.FS]'s.
func (readOnly) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, errReadOnly
}

// Link is [vfs.FS]'s.
func (readOnly) Link(string, string) error { return errReadOnly }

// Rename is [vfs.FS]'s.
func (readOnly) Rename(string, string) error { return errReadOnly }

// Remove is [vfs.FS]'s.
func (readOnly) Remove(string) error { return errReadOnly }

// RemoveAll is [vfs.FS]'s.
func (readOnly) RemoveAll(string) error { return errReadOnly }

// MkdirAll is [vfs.FS]'s.
func (readOnly) MkdirAll(string, os.FileMode) error { return errReadOnly }

// Lock is [vfs.FS]'s.
func (readOnly) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }
