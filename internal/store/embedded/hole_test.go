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

// TestHoleBetweenLogs cuts a log that another one follows. What that holds must not
// be taken for the continuation.
func TestHoleBetweenLogs(t *testing.T) {
	t.Parallel()
	images := twoLogs(t)
	refused := 0
	for i, disk := range images {
		names := logsOf(t, disk)
		text := readFile(t, disk, names[0])
		writeFile(t, disk, names[0], text[:len(text)/2])
		e, err := open(disk, func(err error) { t.Logf("fatal: %v", err) })
		if errors.Is(err, store.ErrDamaged) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Open(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(s); err != nil {
			t.Errorf("image %d: %v", i, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if refused == 0 {
		t.Errorf("none of %d images was refused", len(images))
	}
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
