package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/storetest"
)

// aged opens a store.
func aged(disk vfs.FS, log io.Writer) (*Engine, error) {
	return Open(Config{
		Dir: "/store", FS: disk, Shards: 3, CacheBytes: 1 << 20, FlushBytes: 32 << 10,
		Writer: "v3", Logger: slog.New(slog.NewTextHandler(log, nil)), Fatal: func(error) {},
	})
}

// older opens a store of format 1 or 2 as a program of that format, as far as that goes,
// and gives the keys of shard 1.
func older(disk vfs.FS, format int) (keys int, err error) {
	if _, _, err := readLabel(disk, "/store/IDENTITY", format); err != nil {
		return 0, err
	}
	db, err := pebble.Open("/store/data", olderOptions(disk))
	if err != nil {
		return 0, err
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: dataKey(1, nil), UpperBound: dataEnd(1)})
	if err != nil {
		return 0, errors.Join(err, db.Close())
	}
	for ok := it.First(); ok; ok = it.Next() {
		keys++
	}
	return keys, errors.Join(it.Close(), db.Close())
}

func olderOptions(disk vfs.FS) *pebble.Options {
	return &pebble.Options{
		FS: disk, FormatMajorVersion: pebble.FormatWALSyncChunks, MemTableSize: 32 << 10,
		Logger: logger{newEngine(Config{FS: disk, Logger: slog.New(slog.DiscardHandler)})},
	}
}

// writtenBy gives a disk with a closed store of format 1 or 2 and 60 keys in shard 1,
// in tables and in Pebble's log, as programs of these formats wrote it, but for the
// batches that are to be missing.
func writtenBy(t *testing.T, format int, missing ...uint64) *storetest.Disk {
	t.Helper()
	disk := storetest.NewDisk()
	l := label{Identity: Identity{Shards: 3}, format: format, writer: "v2"}
	if err := makeDir(disk, "/store"); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(disk, "/store/IDENTITY", l.encode()); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("/store/data", olderOptions(disk))
	if err != nil {
		t.Fatal(err)
	}
	pos := store.Position{Epoch: 1}
	for ; pos.Index <= 60; pos.Index++ {
		if slices.Contains(missing, pos.Index) {
			continue
		}
		b := db.NewBatch()
		err := b.Set(positionKey(1), appendPosition(nil, pos), nil)
		if i := int(pos.Index) - 1; i >= 0 {
			key := dataKey(1, fmt.Appendf(nil, "key%03d", i))
			err = errors.Join(err, b.Set(key, bytes.Repeat([]byte{byte(i)}, 1000), nil))
		}
		if err := errors.Join(err, b.Commit(pebble.Sync)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := slot{version: byte(format), seq: 1, flags: flagBorn, at: make([]store.Position, 3)}
	if s.at[1] = (store.Position{Epoch: 1, Index: 60}); format > 1 {
		s.flags |= flagClean
	}
	text := make([]byte, 2*floorSlot)
	copy(text, s.encode())
	if err := writeFile(disk, "/store/FLOOR", text); err != nil {
		t.Fatal(err)
	}
	return disk
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

// TestUpgrade (a directory of an older format): it says so, and is not pending any more
// when everybody has done their part, but is until then.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for format := 1; format < Format; format++ {
		disk := writtenBy(t, format)
		for round := range 3 {
			upgradeRound(t, disk, format, round)
		}
	}
}

func upgradeRound(t *testing.T, disk *storetest.Disk, format, round int) {
	var log bytes.Buffer
	e, err := aged(disk, &log)
	if err != nil {
		t.Fatal(err)
	}
	from, to, pending := e.Upgrade()
	if pending != (round < 2) || pending && (from != format || to != Format) {
		t.Errorf("round %d: from %d to %d, pending %v", round, from, to, pending)
	}
	told := strings.Contains(log.String(), "being upgraded") &&
		strings.Contains(log.String(), fmt.Sprintf("from=%d to=%d", format, Format))
	if told != pending {
		t.Errorf("round %d: logged %s", round, log.String())
	}
	if n := count(t, e); n != 60 {
		t.Errorf("round %d: %d keys", round, n)
	}
	grow(t, e, 60)  // to the log, and over what was there
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
	want := fmt.Sprintf("format %d, this coffer reads up to %d; use coffer v3", Format, format)
	if _, err := older(disk, format); !errors.Is(err, ErrNewer) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("round %d: an older program says %v", round, err)
	}
}

// TestOlderLog: a log of Pebble that holds batches has no business in a directory of
// this format.
func TestOlderLog(t *testing.T) {
	t.Parallel()
	disk := writtenBy(t, 2)
	var name string
	var text []byte
	names, err := disk.List("/store/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".log") {
			name = "/store/data/" + n
		}
	}
	if text, err = readFile(disk, name, 1<<20); err != nil {
		t.Fatal(err)
	}
	e, err := aged(disk, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Upgraded(), e.Close()); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(disk, name, text); err != nil {
		t.Fatal(err)
	}
	_, err = aged(disk, io.Discard)
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("an old log: %v", err)
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
		text := fmt.Appendf(nil, "coffer-store 4\nsomething\nwriter v4.1\n")
		text = fmt.Appendf(text, "crc32c %08x\n", checksum(text))
		if err := writeFile(disk, "/store/IDENTITY", text); err != nil {
			t.Fatal(err)
		}
		var changes []string
		disk.OnChange(func(c storetest.Change) error {
			changes = append(changes, c.Op+" "+c.Name)
			return nil
		})
		_, err := aged(disk, io.Discard)
		disk.OnChange(nil)
		if !errors.Is(err, ErrNewer) || errors.Is(err, store.ErrDamaged) || !strings.Contains(
			err.Error(), "has format 4, this coffer reads up to 3; use coffer v4.1") {
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
	for format := 1; format < Format; format++ {
		upgradeCrash(t, format)
	}
}

func upgradeCrash(t *testing.T, format int) {
	disk := writtenBy(t, format)
	var images []*storetest.Disk
	disk.OnChange(func(c storetest.Change) error {
		images = append(images, disk.Lose(c.N%3*50, uint64(c.N)))
		return nil
	})
	e, err := aged(disk, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, e, 10)
	if err := errors.Join(e.Upgraded(), e.Close()); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	marked, done := 0, 0
	for n, image := range images {
		got, err := older(image.Image(100, 0), format)
		if errors.Is(err, ErrNewer) {
			marked++
		} else if err != nil || got != 60 {
			t.Errorf("crash %d: the older program sees %d keys, %v", n, got, err)
		}
		e, err := aged(image, io.Discard)
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
		e, err := aged(disk, io.Discard)
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
			_, err := aged(image, io.Discard)
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

// TestOlderHole: a batch that is missing between others in Pebble's log is damage.
func TestOlderHole(t *testing.T) {
	t.Parallel()
	disk := writtenBy(t, 2, 58)
	_, err := aged(disk, io.Discard)
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), ".log") {
		t.Errorf("a hole: %v", err)
	}
}
