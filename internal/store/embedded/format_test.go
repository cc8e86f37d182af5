package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/storetest"
)

// aged opens a store as a program of some format.
func aged(disk vfs.FS, format int, log io.Writer) (*Engine, error) {
	return Open(Config{
		Dir: "/store", FS: disk, Shards: 3, CacheBytes: 1 << 20, MemTableBytes: 32 << 10,
		Writer: fmt.Sprint("v", format), format: format,
		Logger: slog.New(slog.NewTextHandler(log, nil)), Fatal: func(error) {},
	})
}

// grow writes n keys to shard 1.
func grow(t *testing.T, e *Engine, n int) {
	t.Helper()
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b := new(store.Batch)
		b.Set(fmt.Appendf(nil, "key%03d", i), bytes.Repeat([]byte{byte(i)}, 1000))
		s.Propose(b, nil)
	}
}

// count gives the keys of shard 1.
func count(t *testing.T, e *Engine) (n int) {
	t.Helper()
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	it := snap.Iter(nil, nil)
	for it.Next() {
		n++
	}
	if err := errors.Join(it.Close(), snap.Close()); err != nil {
		t.Error(err)
	}
	return n
}

// written gives a disk with a closed store of a format and 60 keys.
func writtenBy(t *testing.T, format int) *storetest.Disk {
	t.Helper()
	disk := storetest.NewDisk()
	e, err := aged(disk, format, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, e, 60)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return disk
}

// TestUpgrade (a directory of the last format): it says so, and is not pending
// any more when everybody has done their part, but is until then.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	disk := writtenBy(t, 1)
	for round := range 3 {
		var log bytes.Buffer
		e, err := aged(disk, 2, &log)
		if err != nil {
			t.Fatal(err)
		}
		from, to, pending := e.Upgrade()
		if pending != (round < 2) || pending && (from != 1 || to != 2) {
			t.Errorf("round %d: from %d to %d, pending %v", round, from, to, pending)
		}
		told := strings.Contains(log.String(), "being upgraded") &&
			strings.Contains(log.String(), "from=1 to=2")
		if told != pending {
			t.Errorf("round %d: logged %s", round, log.String())
		}
		if n := count(t, e); n != 60 {
			t.Errorf("round %d: %d keys", round, n)
		}
		if round == 1 { // the process of round 0 ended before it was done
			if err := e.Upgraded(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(log.String(), "was upgraded") {
				t.Errorf("logged %s", log.String())
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if _, err := aged(disk, 1, io.Discard); !errors.Is(err, ErrNewer) ||
			!strings.Contains(err.Error(), "format 2, this coffer reads up to 1; use coffer v2") {
			t.Errorf("round %d: an older program says %v", round, err)
		}
	}
}

// TestNewerIsUntouched: of a newer directory nothing is changed, whatever its
// files look like.
func TestNewerIsUntouched(t *testing.T) {
	t.Parallel()
	disk := writtenBy(t, 2)
	for _, kept := range []bool{true, false} {
		if !kept { // a format in which the data stand elsewhere
			err := errors.Join(disk.RemoveAll("/store/data"), disk.Remove("/store/FLOOR"))
			if err != nil {
				t.Fatal(err)
			}
		}
		text := fmt.Appendf(nil, "coffer-store 3\nsomething\nwriter v3.1\n")
		text = fmt.Appendf(text, "crc32c %08x\n", checksum(text))
		if err := writeFile(disk, "/store/IDENTITY", text); err != nil {
			t.Fatal(err)
		}
		var changes []string
		disk.OnChange(func(c storetest.Change) error {
			changes = append(changes, c.Op+" "+c.Name)
			return nil
		})
		_, err := aged(disk, 2, io.Discard)
		disk.OnChange(nil)
		if !errors.Is(err, ErrNewer) || errors.Is(err, store.ErrDamaged) || !strings.Contains(
			err.Error(), "has format 3, this coffer reads up to 2; use coffer v3.1") {
			t.Errorf("a newer directory: %v", err)
		}
		if len(changes) > 0 {
			t.Errorf("changed: %q", changes)
		}
	}
}

// TestUpgradeCrash crashes before every change that an upgrade makes. From what
// is left the upgrade goes on, and the older program sees the directory as its
// own or refuses it.
func TestUpgradeCrash(t *testing.T) {
	t.Parallel()
	disk := writtenBy(t, 1)
	var images []*storetest.Disk
	disk.OnChange(func(c storetest.Change) error {
		images = append(images, disk.Lose(c.N%3*50, uint64(c.N)))
		return nil
	})
	e, err := aged(disk, 2, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Upgraded(), e.Close()); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	marked, done := 0, 0
	for n, image := range images {
		old, err := aged(image.Image(100, 0), 1, io.Discard)
		if err == nil {
			if got := count(t, old); got != 60 {
				t.Errorf("crash %d: the older program sees %d keys", n, got)
			}
			err = old.Close()
		} else if errors.Is(err, ErrNewer) {
			marked, err = marked+1, nil
		}
		if err != nil {
			t.Errorf("crash %d: the older program: %v", n, err)
		}
		e, err := aged(image, 2, io.Discard)
		if err != nil {
			t.Errorf("crash %d: %v", n, err)
			continue
		}
		if _, _, pending := e.Upgrade(); !pending {
			done++
		}
		if got := count(t, e); got != 60 {
			t.Errorf("crash %d: %d keys", n, got)
		}
		if err := errors.Join(e.Upgraded(), e.Close()); err != nil {
			t.Errorf("crash %d: %v", n, err)
		}
	}
	if len(images) < 20 || marked < 10 || marked == len(images) || done == 0 {
		t.Errorf("%d crashes, %d after the mark, %d after the end", len(images), marked, done)
	}
}

// TestOldCopies puts one file back as it was after an earlier stop.
func TestOldCopies(t *testing.T) {
	t.Parallel()
	disk := writtenBy(t, 1)
	copyOf := func(name string) []byte {
		text, err := readFile(disk, "/store/"+name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	run := func(crash bool) {
		e, err := aged(disk, 2, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Upgraded(); err != nil {
			t.Fatal(err)
		}
		grow(t, e, 5)
		if crash {
			disk = disk.Image(100, 0)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	formatOne := map[string][]byte{"IDENTITY": copyOf("IDENTITY"), "FLOOR": copyOf("FLOOR")}
	run(false)
	stopped := map[string][]byte{"FLOOR": copyOf("FLOOR")}
	run(true)
	killed := map[string][]byte{"FLOOR": copyOf("FLOOR")}
	run(true)
	run(true)
	for age, files := range map[string]map[string][]byte{
		"of format 1": formatOne, "of a stop": stopped, "of a crash": killed,
	} {
		for name, text := range files {
			image := disk.Image(100, 0)
			if err := writeFile(image, "/store/"+name, text); err != nil {
				t.Fatal(err)
			}
			changed := 0
			image.OnChange(func(c storetest.Change) error {
				opened := strings.HasSuffix(c.Name, "LOCK") || c.Name == "/store/FLOOR"
				if c.Op != "create" || !opened {
					changed++
				}
				return nil
			})
			_, err := aged(image, 2, io.Discard)
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "old copy") ||
				!strings.Contains(err.Error(), "/store/"+name) {
				t.Errorf("%s %s: %v", name, age, err)
			}
			if changed > 0 {
				t.Errorf("%s %s: %d changes", name, age, changed)
			}
		}
	}
}
