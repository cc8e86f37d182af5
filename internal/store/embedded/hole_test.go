package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

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
		if refused == 0 {
			t.Errorf("%s: none of %d images was refused", how, len(images))
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

// twoLogs gives disks, as power cuts leave them, on which two logs hold batches.
func twoLogs(t *testing.T) (images []*storetest.Disk) {
	t.Helper()
	disk := storetest.NewDisk()
	e, err := embedded.Open(embedded.Config{
		Dir: "/store", FS: disk, Shards: 4, MemTableBytes: 64 << 10,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	disk.OnChange(func(ch storetest.Change) error {
		if ch.N%3 == 0 && len(images) < 20 {
			if image := disk.Lose(0, uint64(ch.N)); len(logsOf(t, image)) > 1 {
				images = append(images, image)
			}
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
		s.Propose(b, nil)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	return images
}

// logsOf lists the logs that hold something.
func logsOf(t *testing.T, disk *storetest.Disk) (logs []string) {
	names, err := disk.List("/store/data")
	if err != nil {
		return nil
	}
	slices.Sort(names)
	for _, name := range names {
		full := path.Join("/store/data", name)
		if strings.HasSuffix(name, ".log") && len(readFile(t, disk, full)) > 0 {
			logs = append(logs, full)
		}
	}
	return logs
}
