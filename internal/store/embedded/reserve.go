package embedded

import (
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// reserveName is the file that keeps space for the last resort.
const reserveName = "RESERVE"

// A reserve is a file without information whose blocks are given back to the
// file system when a write meets a full disk. Whether it is there after a crash
// does not matter, so it is never synced.
type reserve struct {
	fs    vfs.FS
	path  string
	spent atomic.Bool   // it was given up and not made again
	held  atomic.Uint64 // bytes that this process took for it; written under mu

	mu sync.Mutex
}

// make takes size bytes from the file system, unless that was done. Where blocks
// cannot be had without writing them, a quick one leaves it to a later call.
func (r *reserve) make(size uint64, quick bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held.Load() > 0 || size == 0 {
		return nil
	}
	f, err := r.fs.Create(r.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	later, err := allocate(f, size, quick)
	err = errors.Join(err, f.Close())
	if store.Full(err) {
		return errors.Join(err, r.fs.Remove(r.path))
	}
	if err != nil || later {
		return err
	}
	r.held.Store(size)
	r.spent.Store(false)
	return nil
}

// allocate gives the file blocks. Only Linux can do so without writing them, on
// most of its file systems.
func allocate(f vfs.File, size uint64, quick bool) (later bool, err error) {
	err = f.Preallocate(0, int64(size))
	if err == nil && runtime.GOOS == "linux" || store.Full(err) {
		return false, err
	}
	if err != nil && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.ENOSYS) {
		return false, err
	}
	if quick {
		return true, nil
	}
	zeros := make([]byte, min(size, 1<<20))
	for size > 0 {
		n, err := f.Write(zeros[:min(size, uint64(len(zeros)))])
		if err != nil {
			return false, err
		}
		size -= uint64(n)
	}
	return false, nil
}

// giveUp returns the blocks; one that an earlier process made, too.
func (r *reserve) giveUp() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held.Store(0)
	r.spent.Store(true)
	if err := r.fs.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
