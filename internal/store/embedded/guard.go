package embedded

import (
	"fmt"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A guard stands between Pebble and the file system. The first error of a
// write or sync fails the engine at its source, with the name of the file, and
// never reaches Pebble, which would retry some and panic on others. From then
// on the disk is frozen: changes seem to succeed and do nothing, as if the
// process had ended at that instant.
type guard struct {
	vfs.FS
	engine *Engine
	limbo  *vfs.MemFS // takes the files that are made on a frozen disk
}

// guardFile is a file that Pebble writes, or a directory that it syncs.
type guardFile struct {
	vfs.File
	g    *guard
	name string
}

var (
	_ vfs.FS   = (*guard)(nil)
	_ vfs.File = (*guardFile)(nil)
)

// do runs a change that may not fail, unless the disk is frozen.
func (g *guard) do(op, name string, change func() error) error {
	if g.engine.dead() != nil {
		return nil
	}
	if err := change(); err != nil {
		g.engine.fail(fmt.Errorf("%s %s: %w", op, name, err))
	}
	return nil
}

// file runs a change that gives a file; on a frozen disk that is one in limbo.
func (g *guard) file(op, name string, change func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := g.do(op, name, func() (err error) {
		f, err = change()
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return g.limbo.Create("/file", vfs.WriteCategoryUnspecified)
	}
	return &guardFile{File: f, g: g, name: name}, nil
}

// Create makes a file. Pebble's markers name another file; the name of that one
// is made durable first, because a crash may keep names in any order.
func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file("create", name, func() (vfs.File, error) {
		if strings.HasPrefix(g.FS.PathBase(name), "marker.") {
			if err := syncDir(g.FS, g.FS.PathDir(name)); err != nil {
				return nil, err
			}
		}
		return g.FS.Create(name, c)
	})
}

func (g *guard) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	return g.file("open", name, func() (vfs.File, error) {
		return g.FS.OpenReadWrite(name, c, opts...)
	})
}

func (g *guard) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file("reuse as", name, func() (vfs.File, error) {
		return g.FS.ReuseForWrite(old, name, c)
	})
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	return g.file("open", name, func() (vfs.File, error) { return g.FS.OpenDir(name) })
}

func (g *guard) MkdirAll(name string, perm os.FileMode) error {
	return g.do("make", name, func() error { return g.FS.MkdirAll(name, perm) })
}

func (g *guard) Link(old, name string) error {
	return g.do("link", name, func() error { return g.FS.Link(old, name) })
}

func (g *guard) Rename(old, name string) error {
	return g.do("rename", name, func() error { return g.FS.Rename(old, name) })
}

// Remove lets errors pass: a file that stays is no loss.
func (g *guard) Remove(name string) error {
	if g.engine.dead() != nil {
		return nil
	}
	return g.FS.Remove(name)
}

// RemoveAll lets errors pass as Remove does.
func (g *guard) RemoveAll(name string) error {
	if g.engine.dead() != nil {
		return nil
	}
	return g.FS.RemoveAll(name)
}

func (f *guardFile) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.g.do("write", f.name, func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *guardFile) WriteAt(p []byte, off int64) (n int, err error) {
	n = len(p)
	err = f.g.do("write", f.name, func() (err error) {
		n, err = f.File.WriteAt(p, off)
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *guardFile) Sync() error     { return f.g.do("sync", f.name, f.File.Sync) }
func (f *guardFile) SyncData() error { return f.g.do("sync", f.name, f.File.SyncData) }

func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	err = f.g.do("sync", f.name, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}
