package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unsafe"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
)

func TestReopen(t *testing.T) {
	t.Parallel()
	for name, engine := range map[string]func(t *testing.T) (open func() store.Engine){
		"memory": func(*testing.T) func() store.Engine {
			e := memory.New(memory.Config{Shards: 2})
			return func() store.Engine { return e }
		},
		"embedded": func(t *testing.T) func() store.Engine {
			dir := t.TempDir()
			var last *embedded.Engine
			t.Cleanup(func() { last.Close() })
			return func() store.Engine {
				if last != nil && last.Close() != nil {
					t.Fatal("close failed")
				}
				var err error
				if last, err = embedded.Open(embedded.Config{Dir: dir}); err != nil {
					t.Fatal(err)
				}
				return last
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := engine(t)
			var mac []byte
			for start := uint32(1); start <= 3; start++ {
				db := openDB(t, open())
				if db.StartNumber() != start {
					t.Errorf("start number %d, want %d", db.StartNumber(), start)
				}
				box, err := db.Platform().SealBox(nil, nil, nil)
				if err != nil || binary.BigEndian.Uint32(box[1:]) != start {
					t.Errorf("start %d seals in epoch %x, %v", start, box[1:9], err)
				}
				if v, ok := get(t, db, "id"); start > 1 && (!ok || v != "value") {
					t.Errorf("start %d reads %q, %v", start, v, ok)
				}
				put(t, db, "id", "value")
				m := db.MAC("label", "name")
				if mac != nil && !bytes.Equal(mac, m) {
					t.Error("a restart changed the digest of a name")
				}
				mac = m
			}
		})
	}
}

func TestWrongRootKey(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	put(t, db, "id", "value")
	before := contents(t, db.shard)
	for name, root := range map[string][]byte{
		"other": testRoot(2), "short": testRoot(1)[:31], "none": nil,
	} {
		_, err := Open(t.Context(), openShard(t, e), root, Config{})
		if !errors.Is(err, ErrRootKey) {
			t.Errorf("%s root key: %v", name, err)
		}
	}
	if !maps.Equal(before, contents(t, db.shard)) {
		t.Error("a wrong root key changed the store")
	}
	if db = openDB(t, e); db.StartNumber() != 2 {
		t.Errorf("start number %d after refused starts, want 2", db.StartNumber())
	}
	empty := memory.New(memory.Config{Shards: 1})
	if _, err := Open(t.Context(), openShard(t, empty), testRoot(1)[:31], Config{}); err == nil {
		t.Error("a short root key made a store")
	}
	if n := len(contents(t, openShard(t, empty))); n != 0 {
		t.Errorf("it left %d rows", n)
	}
}

// TestEveryStoredByte flips each byte of each stored value once: the next start
// or the next read must name the damage, and never say "not found".
func TestEveryStoredByte(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	put(t, db, "id", "a value")
	rows := contents(t, db.shard)
	if len(rows) != 4 {
		t.Fatalf("%d rows, want root, start, time and one value", len(rows))
	}
	for key, value := range rows {
		for i := range value {
			bad := []byte(value)
			bad[i] ^= 1 << (i % 8)
			overwrite(t, openShard(t, e), key, bad)
			err := readBack(t, e)
			if !errors.Is(err, store.ErrDamaged) || errors.Is(err, ErrRootKey) {
				t.Fatalf("row %q, byte %d: %v", key, i, err)
			}
			// Only reads of the value get past the start, which counts.
			if key == string(keyStart) {
				overwrite(t, openShard(t, e), key, []byte(value))
			}
		}
		for _, n := range []int{0, 1, len(value) - 1} {
			overwrite(t, openShard(t, e), key, []byte(value[:n]))
			if err := readBack(t, e); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("row %q cut to %d bytes: %v", key, n, err)
			}
			if got := contents(t, openShard(t, e))[key]; got != value[:n] {
				t.Fatalf("row %q cut to %d bytes: something was written over it", key, n)
			}
		}
		overwrite(t, openShard(t, e), key, []byte(value))
	}
	if err := readBack(t, e); err != nil {
		t.Errorf("repaired: %v", err)
	}
}

func readBack(t *testing.T, e store.Engine) error {
	t.Helper()
	db, err := Open(t.Context(), openShard(t, e), testRoot(1), Config{})
	if err != nil {
		return err
	}
	return db.View(t.Context(), func(_ context.Context, tx *Tx) error {
		_, ok, err := tx.Get(testTable, []byte("id"))
		if err == nil && !ok {
			t.Error("not found")
		}
		if err != nil && (ok || !strings.Contains(err.Error(), testTable.String())) {
			t.Errorf("ok %v; the error does not name the table: %v", ok, err)
		}
		scan := tx.Scan(testTable, nil, func(_, _ []byte) error { return nil })
		if (scan == nil) != (err == nil) {
			t.Errorf("Get says %v, Scan %v", err, scan)
		}
		return err
	})
}

// TestMovedBox: a value copied to another id or table does not open there.
func TestMovedBox(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	put(t, db, "a", "secret of a")
	box := contents(t, db.shard)[string(testTable.key([]byte("a")))]
	for _, place := range []struct {
		table Table
		id    string
	}{{testTable, "b"}, {testTable, "a\x00"}, {TableGrant, "a"}} {
		overwrite(t, db.shard, string(place.table.key([]byte(place.id))), []byte(box))
		err := db.View(t.Context(), func(_ context.Context, tx *Tx) error {
			_, _, err := tx.Get(place.table, []byte(place.id))
			return err
		})
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s, id %q: %v", place.table, place.id, err)
		}
	}
}

func TestDataWithoutPlatformKey(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 1})
	overwrite(t, openShard(t, e), "\x10id", []byte("x"))
	_, err := Open(t.Context(), openShard(t, e), testRoot(1), Config{})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a shard with data and no platform key: %v", err)
	}
}

// TestNothingReadable: ids apart, a stored value shows nothing of its text.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	put(t, db, string(db.MAC("name", "readable-name")), "readable-value")
	for key, value := range contents(t, db.shard) {
		if strings.Contains(key+value, "readable") {
			t.Errorf("row %q shows text", key)
		}
	}
}

// TestTime steps the clock: within one process and over a restart, time stands
// still rather than going back.
func TestTime(t *testing.T) {
	t.Parallel()
	// A local time with a monotonic reading: after a step of the wall clock it
	// would still compare as later than the last.
	base := time.Now()
	now := base
	clock := func() time.Time { return now }
	e := memory.New(memory.Config{Shards: 1})
	open := func() *DB {
		db, err := Open(t.Context(), openShard(t, e), testRoot(1), Config{Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	stamp := func(write bool) (at time.Time) {
		fn := func(_ context.Context, tx *Tx) error {
			at = tx.Time()
			if write {
				tx.Put(testTable, []byte("id"), nil)
			}
			return nil
		}
		run := db.View
		if write {
			run = db.Update
		}
		if err := run(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := stamp(true)
	if first.Location() != time.UTC || !first.Equal(base.Round(0)) {
		t.Errorf("time %v, want %v in UTC", first, base)
	}
	// What time.Now gives after the wall clock was set back an hour and a second
	// of real time went by: earlier on the wall, later by the monotonic reading.
	now = stepped(base, -time.Hour, time.Second)
	for _, write := range []bool{true, false} {
		if at := stamp(write); at.UnixNano() < first.UnixNano() {
			t.Errorf("after a step back, write=%v: %v is before %v", write, at, first)
		}
	}
	db = open()
	if at := stamp(false); at.Before(first) {
		t.Errorf("after a restart: %v is before %v", at, first)
	}
	now = base.Add(time.Minute)
	if at := stamp(true); !at.Equal(now.Round(0)) {
		t.Errorf("time did not go on: %v, want %v", at, now)
	}
}

// stepped gives t as time.Now would after the wall clock moved by wall while
// monotonic time went on. Only the runtime can make such a time, so this writes
// the two fields of a time.Time that has a monotonic reading.
func stepped(t time.Time, wall, monotonic time.Duration) time.Time {
	fields := (*struct {
		wall uint64 // flag, 33 bits of seconds, 30 bits of nanoseconds
		ext  int64  // monotonic reading
	})(unsafe.Pointer(&t))
	fields.wall += uint64(wall/time.Second) << 30
	fields.ext += int64(monotonic)
	return t
}
