package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// unflushed is the number of images of TestHoleBetweenLogs without a table.
const unflushed = 20

// TestHoleBetweenLogs takes all or a part of a log that another one follows. What
// that holds must not be taken for the continuation: the store is refused, or
// holds all that it held, because the tables do.
func TestHoleBetweenLogs(t *testing.T) {
	t.Parallel()
	images := twoLogs(t)
	for how, harm := range map[string]func(text []byte) []byte{
		"removed":     nil,
		"emptied":     func([]byte) []byte { return nil },
		"cut in half": func(b []byte) []byte { return b[:len(b)/2] },
		"other":       func(b []byte) []byte { return append(b[:len(b)/2:len(b)/2], b...) },
	} {
		refused := 0
		for i, image := range images {
			whole, err := held(t, image.Image(100, 0))
			if err != nil {
				t.Fatalf("image %d: %v", i, err)
			}
			disk := image.Image(100, 0)
			name := logsOf(t, disk)[0]
			if harm == nil {
				err = disk.Remove(name)
			} else {
				writeFile(t, disk, name, harm(readFile(t, disk, name)))
			}
			if err != nil {
				t.Fatal(err)
			}
			switch n, err := held(t, disk); {
			case errors.Is(err, store.ErrDamaged):
				refused++
			case err != nil || n != whole:
				t.Errorf("%s, image %d: %d of %d batches, %v", how, i, n, whole, err)
			}
		}
		if refused < unflushed {
			t.Errorf("%s: %d of %d images were refused", how, refused, len(images))
		}
	}
}

// held gives the number of batches that a store holds.
func held(t *testing.T, disk *storetest.Disk) (n int, err error) {
	t.Helper()
	e, err := open(disk, func(err error) { t.Logf("fatal: %v", err) })
	if err != nil {
		return 0, err
	}
	s, err := e.Open(context.Background(), 0)
	if err == nil {
		n, err = readAll(s)
	}
	return n, errors.Join(err, e.Close())
}

// twoLogs gives disks, as power cuts leave them, on which two logs hold batches:
// unflushed ones on which no table holds any, and some from later on.
func twoLogs(t *testing.T) (images []*storetest.Disk) {
	t.Helper()
	disk := storetest.NewDisk()
	gate := make(chan struct{})
	pass := sync.OnceFunc(func() { close(gate) })
	e, err := embedded.Open(embedded.Config{
		Dir: "/store", FS: lateTables{disk, gate}, Shards: 4, FlushBytes: 64 << 10,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	disk.OnChange(func(ch storetest.Change) error {
		if ch.N%3 == 0 && len(images) < 2*unflushed {
			if image := disk.Lose(0, uint64(ch.N)); len(logsOf(t, image)) > 1 {
				images = append(images, image)
			}
		}
		if len(images) == unflushed {
			pass()
		}
		return nil
	})
	s, err := e.Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 * damageBatches {
		b := new(store.Batch)
		b.Set(fmt.Appendf(nil, "key%03d", n), []byte(strings.Repeat(fmt.Sprint(n, " "), 400)))
		done := make(chan error, 1)
		s.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	return images
}

// lateTables is a file system on which no table is begun before the gate opens.
type lateTables struct {
	vfs.FS
	gate <-chan struct{}
}

func (l lateTables) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		<-l.gate
	}
	return l.FS.Create(name, c)
}

// logsOf lists the files of the log that were written to, the first segment first. The
// one begun last may hold nothing on the disk yet; nothing then follows the one before
// it, and only the floor, synced once a second, tells what that held.
func logsOf(t *testing.T, disk *storetest.Disk) (paths []string) {
	t.Helper()
	names, err := disk.List("/store/log")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list log: %v", err)
	}
	slices.Sort(names)
	for _, name := range names {
		path := path.Join("/store/log", name)
		if text := readFile(t, disk, path); len(bytes.Trim(text, "\x00")) > 0 {
			paths = append(paths, path)
		}
	}
	return paths
}
