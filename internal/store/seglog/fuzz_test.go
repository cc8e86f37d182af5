package seglog

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// FuzzScan reads two files of any bytes, whose checksums are made right when asked
// for: a scan ends, gives the same twice, and calls them damaged or goes on behind
// their end.
func FuzzScan(f *testing.F) {
	first, second := fuzzSeed(f)
	f.Add(first, second, false)
	f.Add(first, second, true)
	f.Add(first, first, true)
	f.Add(second, first, false)
	f.Add(first[:5000], second[:4096], true)
	f.Fuzz(func(t *testing.T, a, b []byte, right bool) {
		cfg := Config{FS: vfs.NewMem(), Dir: "/log", SegmentBytes: 16 << 10}
		if err := cfg.FS.MkdirAll(cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i, text := range [][]byte{a, b} {
			if right {
				correct(newKey(cfg.ID), text)
			}
			file, err := cfg.FS.Create(Path(cfg.FS, cfg.Dir, uint64(i+1)), "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.Write(text); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
		end, n, err := count(cfg)
		if again, m, err2 := count(cfg); again != end || n != m || (err == nil) != (err2 == nil) {
			t.Errorf("%v %d %v, then %v %d %v", end, n, err, again, m, err2)
		}
		if errors.Is(err, store.ErrDamaged) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		goOn(t, cfg, end, n)
	})
}

// count scans from the first segment.
func count(cfg Config) (end End, records int, err error) {
	end, err = Scan(cfg, 1, func(Record) error { records++; return nil })
	return end, records, err
}

// goOn appends one record behind those that a scan found.
func goOn(t *testing.T, cfg Config, end End, records int) {
	l, err := Open(cfg, end)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := l.Append(3, func(dst []byte) { copy(dst, "new") })
	if err == nil {
		err = l.Wait(ref)
	}
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	last := ""
	more := 0
	_, err = Scan(cfg, 1, func(r Record) error {
		last, more = string(r.Payload), more+1
		return nil
	})
	if err != nil || more != records+1 || last != "new" {
		t.Errorf("%d records and one more gave %d, the last %q, %v", records, more, last, err)
	}
}

// correct makes the checksums right of all groups that fit.
func correct(k key, text []byte) {
	for at := 0; at+headSize <= len(text); at += page {
		h, ok := decodeHead(text[at:])
		if n := headSize + int64(h.length); ok && at+int(n) <= len(text) {
			binary.BigEndian.PutUint32(text[at+28:], k.sum(text[at:at+int(n)]))
		}
	}
}

// fuzzSeed gives the files of a log of two segments.
func fuzzSeed(f *testing.F) (first, second []byte) {
	cfg := Config{FS: vfs.NewMem(), Dir: "/log", SegmentBytes: 16 << 10}
	l, err := Open(cfg, End{})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 5 {
		ref, err := l.Append(3000, func(dst []byte) { clear(dst); dst[0] = byte(n) })
		if err == nil {
			err = l.Wait(ref)
		}
		if err != nil {
			f.Fatal(err)
		}
		if n == 2 {
			l.Roll()
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	read := func(n uint64) []byte {
		file, err := cfg.FS.Open(l.Path(n))
		if err != nil {
			f.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			f.Fatal(err)
		}
		return text
	}
	return read(1), read(2)
}
