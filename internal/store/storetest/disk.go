package storetest

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Disk is a file system in memory that can lose power. What was synced
// survives; of the rest any part may. It shows every change before it is made,
// one at a time, so that a test can take an image there or let it fail. It may
// have a size.
type Disk struct {
	vfs.FS
	memory *vfs.MemFS

	mu       sync.Mutex
	changes  int
	onChange func(Change) error
	room     room

	gateMu sync.Mutex
	gate   chan struct{} // closed when syncs may proceed
}

// Change is one change of a disk.
type Change struct {
	N    int    // counted from 1
	Op   string // "create", "write", "sync", "rename", "link", "remove" or "mkdir"
	Name string // of the file
}

var _ vfs.FS = (*Disk)(nil)

// NewDisk gives an empty disk.
func NewDisk() *Disk { return newDisk(vfs.NewCrashableMem()) }

func newDisk(memory *vfs.MemFS) *Disk {
	d := &Disk{FS: memory, memory: memory, gate: make(chan struct{})}
	close(d.gate)
	return d
}

// OnChange lets f see each change before it is made. An error of f is given
// instead of making the change. f may call Lose, but not change the disk.
func (d *Disk) OnChange(f func(Change) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onChange = f
}

// Image gives the disk as a crash at this instant may leave it, with about
// keptPercent of the blocks and names that were not synced.
func (d *Disk) Image(keptPercent int, seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Lose(keptPercent, seed)
}

// Lose is Image for use in OnChange.
func (d *Disk) Lose(keptPercent int, seed uint64) *Disk {
	return newDisk(d.memory.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: keptPercent,
		RNG:                 rand.New(rand.NewPCG(seed, seed)),
	}))
}

// Hold lets syncs of files wait until release is called.
func (d *Disk) Hold() (release func()) {
	gate := make(chan struct{})
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	d.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}

// change makes a change unless a test lets it fail. Changes exclude each other
// and images, because the file system in memory cannot be copied in some.
func (d *Disk) change(op, name string, make func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	if d.onChange != nil {
		err := d.onChange(Change{d.changes, op, name})
		if errors.Is(err, errDiskAfter) {
			return errors.Join(err, make())
		}
		if err != nil {
			return err
		}
	}
	return make()
}

func (d *Disk) file(op, name string, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := d.change(op, name, func() (err error) {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d, name: name}, nil
}

// Create makes a file.
func (d *Disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.file("create", name, func() (vfs.File, error) {
		if d.room.size != 0 && d.free() == 0 {
			return nil, ErrFull
		}
		d.moved(name, "")
		return d.memory.Create(name, c)
	})
}

// OpenReadWrite opens a file, which it makes when it is missing.
func (d *Disk) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	return d.file("create", name, func() (vfs.File, error) {
		return d.memory.OpenReadWrite(name, c, opts...)
	})
}

// ReuseForWrite renames a file to write it again.
func (d *Disk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.file("rename", name, func() (vfs.File, error) {
		d.moved(old, name)
		return d.memory.ReuseForWrite(old, name, c)
	})
}

// OpenDir opens a directory to sync it; that is no change.
func (d *Disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.memory.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d, name: name}, nil
}

// MkdirAll makes a directory.
func (d *Disk) MkdirAll(name string, perm os.FileMode) error {
	return d.change("mkdir", name, func() error { return d.memory.MkdirAll(name, perm) })
}

// Link gives a file a second name.
func (d *Disk) Link(old, name string) error {
	return d.change("link", name, func() error { return d.memory.Link(old, name) })
}

// Rename moves a file.
func (d *Disk) Rename(old, name string) error {
	return d.change("rename", name, func() error {
		d.moved(old, name)
		return d.memory.Rename(old, name)
	})
}

// Remove removes a file.
func (d *Disk) Remove(name string) error {
	return d.change("remove", name, func() error {
		d.moved(name, "")
		return d.memory.Remove(name)
	})
}

// diskFile is an open file or directory.
type diskFile struct {
	vfs.File
	disk *Disk
	name string
	at   int64 // where the next Write goes
}

func (f *diskFile) Write(p []byte) (int, error) {
	n, err := f.put(p, f.at, f.File.Write)
	f.at += int64(n)
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	return f.put(p, off, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
}

// put makes as much of a write as there is room for. When a test lets it find the
// disk full, that is a half of one that makes the file longer, and none of others.
func (f *diskFile) put(p []byte, off int64, write func([]byte) (int, error)) (n int, err error) {
	d := f.disk
	err = d.change("write", f.name, func() error {
		fit, full := d.fits(f.name, off, int64(len(p)))
		var err error
		n, err = write(p[:fit])
		return errors.Join(full, err)
	})
	if err == ErrFull { // from OnChange
		d.mu.Lock()
		defer d.mu.Unlock()
		if info, err := f.Stat(); err == nil && off+int64(len(p)) > info.Size() {
			n, _ = write(p[:len(p)/2])
		}
	}
	return n, err
}

func (f *diskFile) Sync() error {
	f.disk.gateMu.Lock()
	gate := f.disk.gate
	f.disk.gateMu.Unlock()
	<-gate
	return f.disk.change("sync", f.name, f.File.Sync)
}

func (f *diskFile) SyncData() error { return f.Sync() }
