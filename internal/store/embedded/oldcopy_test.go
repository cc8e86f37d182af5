package embedded_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

const (
	oldLives    = 3 // processes after each other
	oldVersions = 8 // of one file that are put back
)

// past is every text that a file had, by its name, in order.
type past map[string][]string

// look adds what is on the disk.
func (p past) look(t *testing.T, disk *storetest.Disk) {
	for _, dir := range []string{"/store", "/store/data", "/store/log"} {
		names, err := disk.List(dir)
		if err != nil {
			continue // it is not there yet
		}
		for _, name := range names {
			full := path.Join(dir, name)
			info, err := disk.Stat(full)
			if err != nil || info.IsDir() || name == "LOCK" || name == "RESERVE" {
				continue // or it went meanwhile
			}
			f, err := disk.Open(full)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a compaction was quicker
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(f)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if had := p[full]; len(had) == 0 || had[len(had)-1] != string(text) {
				p[full] = append(had, string(text))
			}
		}
	}
}

// oldLife writes a part of every shard's batches. It gives the disk as a kill would
// have left it before the stop.
func oldLife(t *testing.T, disk *storetest.Disk, life int, look func()) *storetest.Disk {
	t.Helper()
	e, err := embedded.Open(embedded.Config{
		Dir: "/store", FS: disk, Shards: 4, FlushBytes: 64 << 10,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	each := damageBatches / oldLives
	for id := range store.ShardID(3) {
		s, err := e.Open(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan error, each)
		for n := life * each; n < (life+1)*each; n++ {
			b := new(store.Batch)
			b.Set(fmt.Appendf(nil, "key%03d", n), []byte(strings.Repeat(fmt.Sprint(n, " "), 400)))
			s.Propose(b, func(_ store.Position, err error) { told <- err })
			if err := <-told; err != nil {
				t.Fatal(err)
			}
			look()
		}
	}
	floorSays(t, disk, store.Position{Epoch: uint64(life + 1), Index: uint64((life + 1) * each)})
	killed := disk.Image(100, 0)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	look()
	return killed
}

// floorSays waits until the floor has the position for all shards that were written
// to: it follows the batches without keeping them waiting.
func floorSays(t *testing.T, disk *storetest.Disk, pos store.Position) {
	t.Helper()
	want := binary.BigEndian.AppendUint64(nil, pos.Epoch)
	want = binary.BigEndian.AppendUint64(want, pos.Index)
	want = bytes.Repeat(want, 3)
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		if bytes.Contains(readFile(t, disk, "/store/FLOOR"), want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the floor does not say %v", pos)
		}
	}
}

// TestOldCopyOfEachFile puts one file back as it was at an earlier moment, under the
// name that it had, whether there is a file of that name or not any more: log,
// table, list of tables, marker, options, floor. The store is refused with the name of a
// file, or holds everything.
func TestOldCopyOfEachFile(t *testing.T) {
	t.Parallel()
	disk, had := storetest.NewDisk(), past{}
	look := func() { had.look(t, disk) }
	images := map[string]*storetest.Disk{"stopped": disk}
	for life := range oldLives {
		images["killed"] = oldLife(t, disk, life, look)
	}
	kinds := map[string]int{}
	for state, image := range images {
		now := past{}
		now.look(t, image)
		for name, texts := range had {
			gone := len(now[name]) == 0
			texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
				return !gone && text == now[name][0]
			})
			for i := range min(len(texts), oldVersions) {
				text := texts[i*len(texts)/min(len(texts), oldVersions)]
				copied := image.Image(100, 0)
				writeFile(t, copied, name, []byte(text))
				err := found(t, copied)
				how := "replaced"
				if gone {
					how = "added"
				}
				verdict := "whole"
				if errors.Is(err, store.ErrDamaged) && strings.Contains(err.Error(), "/store") {
					verdict = "refused"
				} else if err != nil {
					t.Errorf("%s: %s, %d octets of it: %v", state, name, len(text), err)
				}
				kinds[how+" "+kindOf(name)+" "+verdict]++
			}
		}
	}
	t.Log(kinds)
	for _, want := range []string{
		"replaced log", "added log", "added table", "added list", "replaced floor",
	} {
		if kinds[want+" whole"]+kinds[want+" refused"] == 0 {
			t.Errorf("no old copy was tried: %s", want)
		}
	}
}

func kindOf(name string) string {
	base := path.Base(name)
	switch {
	case strings.HasSuffix(base, ".log"):
		return "log"
	case strings.HasSuffix(base, ".sst"):
		return "table"
	case strings.HasPrefix(base, "MANIFEST"):
		return "list"
	case base == "FLOOR":
		return "floor"
	}
	return "other"
}

// TestFloorOfAnEarlierStop puts the floor of a stop back after a life that wrote
// nothing: that the shards ended there is not true any more, and is refused.
func TestFloorOfAnEarlierStop(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	oldLife(t, disk, 0, func() {})
	floor := readFile(t, disk, "/store/FLOOR")
	e, err := open(disk, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Open(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, disk, "/store/FLOOR", floor)
	_, err = open(disk, func(err error) { t.Logf("fatal: %v", err) })
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "/store/FLOOR") {
		t.Errorf("the floor of an earlier stop: %v", err)
	}
}
