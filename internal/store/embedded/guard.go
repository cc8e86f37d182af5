package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
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
	log  bool // a segment of the log
	idle bool // what is written to it can wait, see space.insist
}

// aheadFile is one that the log makes longer than it must be.
type aheadFile struct{ *guardFile }

var (
	_ vfs.FS   = (*guard)(nil)
	_ vfs.File = (*guardFile)(nil)
	_ vfs.File = aheadFile{}
)

// do runs a change that may not fail, unless the disk is frozen or the file is of
// a checkpoint. On a full disk it is made again, so a change that was made in
// part goes on from there.
func (g *guard) do(op, name string, change func() error) error {
	if g.frozen(name) {
		return nil
	}
	return g.again(op, name, false, change(), change)
}

// again goes on with a change that was made once, with this result.
func (g *guard) again(op, name string, idle bool, err error, change func() error) error {
	if store.Full(err) && !g.engine.beside(name) {
		err = g.engine.space.insist(op, name, idle, change)
	}
	return g.judge(op, name, err)
}

// sync runs a sync, which is never made again: what the first one could not make
// durable the second may take for durable.
func (g *guard) sync(name string, log bool, sync func() error) error {
	if g.frozen(name) {
		return nil
	}
	return g.judge("sync", name, g.engine.syncs.measure(name, log, sync))
}

// frozen reports whether changes do nothing, for good or of the checkpoint that
// is being made.
func (g *guard) frozen(name string) bool {
	return g.engine.dead() != nil || g.engine.spoiled.Load() != nil && g.engine.beside(name)
}

// judge fails the engine for an error, unless it is of a checkpoint. When the
// engine is being closed on a full disk, Close says so and the process need not
// end for it.
func (g *guard) judge(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if g.engine.beside(name) {
		g.engine.spoiled.CompareAndSwap(nil, &err)
		return nil // Pebble panics on some; Checkpoint tells
	}
	waited := store.Full(err) && op != "sync" && g.engine.space.ended()
	if err = fmt.Errorf("%s %s: %w", op, name, err); waited {
		g.engine.freeze(err)
	} else {
		g.engine.fail(err)
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
	return &guardFile{File: f, g: g, name: name, log: strings.HasSuffix(name, ".log")}, nil
}

// Create makes a file. Pebble's markers name another file; the name of that one
// is made durable first, because a crash may keep names in any order.
func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(g.FS.PathBase(name), "marker.") {
		dir := g.FS.PathDir(name)
		err := g.sync(dir, false, func() error { return syncDir(g.FS, dir) })
		if err != nil {
			return nil, err
		}
	}
	f, err := g.file("create", name, func() (vfs.File, error) { return g.FS.Create(name, c) })
	if f, ok := f.(*guardFile); ok {
		f.idle = c == compaction
	}
	return f, err
}

// compaction is Pebble's name for what it writes to save space and reads.
const compaction = vfs.DiskWriteCategory("pebble-compaction")

// OpenReadWrite opens a file, or makes it. What the log makes ahead is worth neither the
// reserve nor a wait for room: there it gets the error of a full disk.
func (g *guard) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	if c == seglog.Ahead && !g.frozen(name) {
		f, err := g.FS.OpenReadWrite(name, c, opts...)
		if err == nil {
			return aheadFile{&guardFile{File: f, g: g, name: name}}, nil
		}
		if store.Full(err) {
			return nil, err
		}
		_ = g.judge("open", name, err) // freezes the disk
	}
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

// Link copies a table into a checkpoint where the file system has no links.
func (g *guard) Link(old, name string) error {
	return g.do("link", name, func() error {
		err := g.FS.Link(old, name)
		if err == nil || !g.engine.beside(name) || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return vfs.Copy(g.FS, old, name)
	})
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

func (f *guardFile) Write(p []byte) (int, error) {
	if f.g.frozen(f.name) {
		return len(p), nil
	}
	n, err := f.File.Write(p)
	if err == nil {
		return n, nil
	}
	rest := p[n:]
	return len(p), f.g.again("write", f.name, f.idle, err, func() error {
		n, err := f.File.Write(rest)
		rest = rest[n:]
		return err
	})
}

func (f *guardFile) WriteAt(p []byte, off int64) (int, error) {
	rest := p
	err := f.g.do("write", f.name, func() error {
		n, err := f.File.WriteAt(rest, off)
		rest, off = rest[n:], off+int64(n)
		return err
	})
	return len(p), err
}

func (f aheadFile) WriteAt(p []byte, off int64) (int, error) {
	if f.g.frozen(f.name) {
		return len(p), nil
	}
	n, err := f.File.WriteAt(p, off)
	if err == nil || store.Full(err) {
		return n, err
	}
	return len(p), f.g.judge("write", f.name, err)
}

func (f *guardFile) Sync() error     { return f.g.sync(f.name, f.log, f.File.Sync) }
func (f *guardFile) SyncData() error { return f.g.sync(f.name, f.log, f.File.SyncData) }

func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	err = f.g.sync(f.name, false, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}
