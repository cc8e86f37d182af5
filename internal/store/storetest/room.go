package storetest

import (
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrFull is what OnChange may return for a full disk: a write that makes a file
// longer is made up to its middle first, nothing else is made.
var ErrFull = fmt.Errorf("the disk is full: %w", syscall.ENOSPC)

// room bounds a disk. It is guarded by Disk.mu.
type room struct {
	size    int64            // 0: no bound
	ballast int64            // taken by nobody's files
	blocks  map[string]int64 // preallocated, by file
}

// Bound gives the disk a size in bytes. A write that does not fit is made in
// part and fails with ENOSPC; so does a new file when nothing is free.
func (d *Disk) Bound(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room.size = size
}

// Fill lets others take all of a bounded disk but free bytes; less when the files
// on it leave less. A negative free takes nothing.
func (d *Disk) Fill(free int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room.ballast = 0
	if free >= 0 {
		d.room.ballast = max(0, d.free()-free)
	}
}

// Free gives the bytes that a bounded disk can still take.
func (d *Disk) Free() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.free()
}

// GetDiskUsage is [vfs.FS]'s; a disk without bound cannot tell.
func (d *Disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room.size == 0 {
		return vfs.DiskUsage{}, vfs.ErrUnsupported
	}
	free := d.free()
	return vfs.DiskUsage{
		AvailBytes: uint64(free), TotalBytes: uint64(d.room.size),
		UsedBytes: uint64(d.room.size - free),
	}, nil
}

// free is what is left; mu is held.
func (d *Disk) free() int64 {
	return max(0, d.room.size-d.room.ballast-d.used("/"))
}

// used adds up the files below a directory. One with two names counts twice.
func (d *Disk) used(dir string) (sum int64) {
	names, err := d.memory.List(dir)
	if err != nil {
		return 0
	}
	for _, name := range names {
		path := d.memory.PathJoin(dir, name)
		info, err := d.memory.Stat(path)
		switch {
		case err != nil:
		case info.IsDir():
			sum += d.used(path)
		default:
			sum += max(info.Size(), d.room.blocks[path])
		}
	}
	return sum
}

// fits gives how many of the bytes from off on may be written to a file.
func (d *Disk) fits(name string, off, length int64) (n int64, err error) {
	if d.room.size == 0 {
		return length, nil
	}
	have := d.room.blocks[name]
	if info, err := d.memory.Stat(name); err == nil {
		have = max(have, info.Size())
	}
	if short := off + length - have - d.free(); short > 0 && off+length > have {
		return max(0, length-short), ErrFull
	}
	return length, nil
}

// moved notes that a file has another name, or none, or no content any more.
func (d *Disk) moved(from, to string) {
	if blocks, ok := d.room.blocks[from]; ok && to != "" {
		d.room.blocks[to] = blocks
	} else {
		delete(d.room.blocks, to)
	}
	delete(d.room.blocks, from)
}

// Preallocate takes blocks from a bounded disk, all or none.
func (f *diskFile) Preallocate(off, length int64) error {
	d := f.disk
	return d.change("write", f.name, func() error {
		if _, err := d.fits(f.name, off, length); err != nil {
			return err
		}
		if d.room.blocks == nil {
			d.room.blocks = map[string]int64{}
		}
		d.room.blocks[f.name] = max(d.room.blocks[f.name], off+length)
		return nil
	})
}
