package seglog_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
	"coffer/internal/store/storetest"
)

// damageGroup is the number of records of a group in the logs that are damaged.
const damageGroup = 4

// files gives the texts of a log's files by their numbers.
func files(t testing.TB, disk vfs.FS) map[uint64][]byte {
	t.Helper()
	all := map[uint64][]byte{}
	for n := range uint64(100) {
		f, err := disk.Open(seglog.Path(disk, "/store/log", n))
		if err != nil {
			continue
		}
		text, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		all[n] = text
	}
	return all
}

// put puts the texts onto a new file system, where nothing crashes.
func put(t testing.TB, texts map[uint64][]byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/store/log", 0o700); err != nil {
		t.Fatal(err)
	}
	for n, text := range texts {
		f, err := fs.Create(seglog.Path(fs, "/store/log", n), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(slices.Clone(text)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// tapeOf writes groups of records into several segments, some of them into files
// that were used before. past has each state of each file, by number.
func tapeOf(t *testing.T) (disk *storetest.Disk, m marks, past map[uint64][][]byte) {
	t.Helper()
	disk = newDisk(t)
	l, p := open(t, config(disk), newTape().marks())
	past = map[uint64][][]byte{}
	for n := range 14 {
		fill(t, l, p, damageGroup)
		for n, text := range files(t, disk) {
			past[n] = append(past[n], text)
		}
		if n == 5 {
			if err := p.release(l); err != nil {
				t.Fatal(err)
			}
		}
	}
	segment := l.Roll()
	for n := 0; n <= damageGroup+1; n++ { // the last segment has more than may be lost
		fill(t, l, p, 1)
		if at, _ := l.Durable(); at != segment {
			segment, n = at, 0
		}
	}
	closed(t, l)
	return disk, p.marks(), past
}

// judge scans a log that was harmed: it is damaged, which the error says with the name
// of a file, or holds all but at most the last group. It gives the damage.
func judge(t *testing.T, what string, fs vfs.FS, m marks) (damage error) {
	t.Helper()
	m.acked = max(m.start, m.acked-damageGroup)
	_, _, _, err := scan(config(fs), m)
	switch {
	case errors.Is(err, store.ErrDamaged):
		if !strings.Contains(err.Error(), ".log: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
		return err
	case err != nil:
		t.Errorf("%s: %v", what, err)
	}
	return nil
}

// lastOf gives the last segment that holds records, and marks of a log that may have lost
// it as a whole, which a log cannot know.
func lastOf(t *testing.T, disk vfs.FS, m marks) (last uint64, lost marks) {
	t.Helper()
	end, n, places, err := scan(config(disk), m)
	if err != nil {
		t.Fatal(err)
	}
	for places[n-1].Segment == end.Segment() {
		n--
	}
	m.acked = n
	return end.Segment(), m
}

// change puts a byte into the file of a segment.
func change(t *testing.T, fs vfs.FS, segment uint64, at int, b byte) {
	t.Helper()
	f, err := fs.OpenReadWrite(seglog.Path(fs, "/store/log", segment), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{b}, int64(at))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestFlip changes bytes of every kind, and cuts each file at each page.
func TestFlip(t *testing.T) {
	t.Parallel()
	disk, m, _ := tapeOf(t)
	texts := files(t, disk)
	last, lost := lastOf(t, disk, m)
	refused, harmed, fs := 0, 0, put(t, texts)
	for number, text := range texts {
		for at := range text {
			if page := at % 4096; page > 48 && at%97 != 0 {
				continue // every byte of the heads, some of the others
			}
			change(t, fs, number, at, text[at]^1<<(at%8))
			what := fmt.Sprintf("segment %d, byte %d", number, at)
			if err := judge(t, what, fs, m); err != nil {
				refused++
				if !strings.Contains(err.Error(), seglog.Path(fs, "/store/log", number)) {
					t.Errorf("%s: %v", what, err)
				}
			}
			change(t, fs, number, at, text[at])
			harmed++
		}
		for at := 0; at < len(text); at += 1024 {
			texts[number] = text[:at]
			m := m
			if number == last {
				m = lost
			}
			judge(t, fmt.Sprintf("segment %d, cut at %d", number, at), put(t, texts), m)
		}
		texts[number] = text
	}
	if refused < harmed/4 {
		t.Errorf("%d of %d changes were found", refused, harmed)
	}
}

// TestExchange takes files away, puts them in each other's place, and puts back what
// they held before.
func TestExchange(t *testing.T) {
	t.Parallel()
	disk, m, past := tapeOf(t)
	whole := files(t, disk)
	last, lost := lastOf(t, disk, m)
	refused := map[string]int{}
	try := func(kind string, a uint64, what string, texts map[uint64][]byte) {
		m := m
		if string(texts[last]) != string(whole[last]) {
			m = lost
		}
		found := judge(t, kind+" "+what, put(t, texts), m) != nil
		if kind != "old" && a >= m.from && a < last && !found {
			t.Errorf("%s %s: it was not found", kind, what)
		}
		if found {
			refused[kind]++
		}
	}
	for a, text := range whole {
		texts := files(t, disk)
		delete(texts, a)
		try("missing", a, fmt.Sprint(a), texts)
		for b, other := range whole {
			if a == b {
				continue
			}
			texts := files(t, disk)
			texts[a] = other
			try("doubled", a, fmt.Sprint(b, " as ", a), texts)
			texts[b] = text
			try("swapped", min(a, b), fmt.Sprint(a, " and ", b), texts)
		}
		for version, old := range past[a] {
			texts := files(t, disk)
			texts[a] = old
			try("old", a, fmt.Sprint(a, " as of ", version), texts)
		}
	}
	for _, kind := range []string{"missing", "doubled", "swapped", "old"} {
		if refused[kind] == 0 {
			t.Errorf("no file that is %s was found", kind)
		}
	}
}
