package embedded

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// private is the operating system's file system, on which each file that is
// made is for its owner alone, whatever the umask, as each directory is; the
// mode stays with a file that is copied out of it.
type private struct{ vfs.FS }

var _ vfs.FS = private{}

// own narrows the mode of a file that was just opened. A file that another user
// made stays as that user wants it.
func own[F io.Closer](f F, err error, name string) (F, error) {
	if err != nil {
		return f, err
	}
	if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, fs.ErrPermission) {
		var none F
		return none, errors.Join(err, f.Close())
	}
	return f, nil
}

// MkdirAll is [vfs.FS]'s.
func (p private) MkdirAll(dir string, perm os.FileMode) error {
	return p.FS.MkdirAll(dir, perm&0o700)
}

// Create is [vfs.FS]'s.
func (p private) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, c)
	return own(f, err, name)
}

// OpenReadWrite is [vfs.FS]'s: it makes a file that is missing.
func (p private) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	f, err := p.FS.OpenReadWrite(name, c, opts...)
	return own(f, err, name)
}

// ReuseForWrite is [vfs.FS]'s.
func (p private) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.ReuseForWrite(old, name, c)
	return own(f, err, name)
}

// Lock is [vfs.FS]'s: it makes the file.
func (p private) Lock(name string) (io.Closer, error) {
	held, err := p.FS.Lock(name)
	return own(held, err, name)
}
