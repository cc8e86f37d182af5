package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"coffer/internal/store"
)

// Checked counts what an inspection read.
type Checked struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// CheckTables reads every block of every table and compares its checksum: of
// the tables in use or, when their list cannot be read, of all. It calls damaged
// of Inspect with the names of those that are not.
func (i *Inspection) CheckTables(ctx context.Context) (sum Checked, err error) {
	names, err := i.tables()
	if err != nil {
		return sum, err
	}
	opts := i.options()
	opts.EnsureDefaults()
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan string)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for name := range work {
				n, err := i.checkTable(ctx, name, opts)
				mu.Lock()
				sum.Files++
				sum.Bytes += n
				i.note(name, err)
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		if ctx.Err() == nil {
			work <- name
		}
	}
	close(work)
	wg.Wait()
	return sum, ctx.Err()
}

// tables lists those in use, or all.
func (i *Inspection) tables() (paths []string, err error) {
	e := i.engine
	if e.db != nil {
		return e.tables(e.db, e.path(dataName))
	}
	names, err := i.files(dataName)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			paths = append(paths, e.path(dataName, name))
		}
	}
	return paths, err
}

// files lists what is in a folder. That it is missing is told by Inspect.
func (i *Inspection) files(folder string) ([]string, error) {
	dir := i.engine.path(folder)
	names, err := i.engine.cfg.FS.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return names, nil
}

// checkTable gives the size of a table, and what is wrong with it.
func (i *Inspection) checkTable(
	ctx context.Context, name string, opts *pebble.Options,
) (size int64, err error) {
	f, err := i.engine.cfg.FS.Open(name)
	if err != nil {
		return 0, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	size = readable.Size()
	if err := checkFooter(i.engine.cfg.FS, name); err != nil {
		return size, errors.Join(err, readable.Close())
	}
	r, err := sstable.NewReader(ctx, readable, opts.MakeReaderOptions())
	if err != nil {
		return size, errors.Join(damaged(name, err), readable.Close())
	}
	if err = r.ValidateBlockChecksums(); err != nil {
		err = damaged(name, err)
	}
	return size, errors.Join(err, r.Close())
}

// CheckLogs counts the logs. What they hold was read, and each record's checksum
// compared, by Inspect.
func (i *Inspection) CheckLogs() (sum Checked, err error) {
	e := i.engine
	for _, folder := range []string{dataName, logName} {
		names, err := i.files(folder)
		if err != nil {
			return sum, err
		}
		for _, name := range names {
			if path.Ext(name) != ".log" {
				continue
			}
			info, err := e.cfg.FS.Stat(e.path(folder, name))
			if err != nil {
				return sum, fmt.Errorf("list logs: %w", err)
			}
			sum.Files++
			sum.Bytes += info.Size()
		}
	}
	return sum, nil
}

// Walk calls fn for every row of a shard in the order of the keys and gives the
// bytes of keys and values. The slices are valid during the call. Where a row
// cannot be read the walk ends with store.ErrDamaged, the file's name and the
// last key before.
func Walk(
	ctx context.Context, snap store.Snapshot, fn func(key, value []byte) error,
) (rows, size int64, err error) {
	it := snap.Iter(nil, nil)
	var last []byte
	for it.Next() {
		rows++
		size += int64(len(it.Key()) + len(it.Value()))
		last = append(last[:0], it.Key()...)
		if err = ctx.Err(); err == nil && fn != nil {
			err = fn(it.Key(), it.Value())
		}
		if err != nil {
			break
		}
	}
	if rerr := it.Err(); rerr != nil {
		err = fmt.Errorf("behind key %x: %w", last, rerr)
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return rows, size, err
}
