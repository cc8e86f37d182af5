package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// clocked opens shard 0 at a time.
func clocked(t testing.TB, s store.Shard, now *time.Time) *DB {
	t.Helper()
	db, err := Open(t.Context(), s, testRoot(1), Config{Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// noted puts a rotation on record.
func noted(_ context.Context, tx *Tx) error {
	tx.Put(testTable, []byte("record"), []byte("rotated"))
	return nil
}

func rotate(t testing.TB, db *DB) {
	t.Helper()
	if err := db.RotatePlatform(t.Context(), testRoot(1), noted); err != nil {
		t.Fatal(err)
	}
}

func atOnce(ctx context.Context, _ store.ShardID, _ int) error { return ctx.Err() }

// reseal seals all of shard 0 anew and notes that.
func reseal(t testing.TB, db *DB) (n int) {
	t.Helper()
	epoch := db.Platform().Newest()
	n, err := db.Reseal(t.Context(), atOnce)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Resealed(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	return n
}

// stale counts the boxes of a shard of epochs before one.
func stale(t testing.TB, s store.Shard, epoch uint64) (n int) {
	t.Helper()
	for key, box := range contents(t, s) {
		if key != string(keyRoot) && key != string(keyStart) &&
			binary.BigEndian.Uint64([]byte(box[1:])) < epoch {
			n++
		}
	}
	return n
}

// TestRotatePlatform: what was stored before opens, what is sealed from now on is under the
// new key alone, and digests stay. The old key goes when nothing rests on it: neither
// before all was sealed anew nor while a session could live, and then at a start.
func TestRotatePlatform(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := memory.New(memory.Config{Shards: 1})
	s := openShard(t, e)
	db := clocked(t, s, &now)
	for i := range 3 * resealRows {
		put(t, db, fmt.Sprintf("id %04d", i), "value")
	}
	put(t, db, "empty", "")
	mac := db.MAC("label", "name")
	token, err := db.Platform().SealBox(nil, nil, []byte("token"))
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, db)
	epoch := db.Platform().Newest()
	if v, _ := get(t, db, "record"); v != "rotated" || epoch != 2<<32 || db.StartNumber() != 1 {
		t.Errorf("record %q, epoch %x, start %d", v, epoch, db.StartNumber())
	}
	put(t, db, "new", "value")
	box := []byte(contents(t, s)[string(testTable.key([]byte("new")))])
	alone, err := seal.NewEpochsOf(db.ring.keys[:1], platformLabel, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.OpenBox(nil, aad(testTable.key([]byte("new"))), box); err == nil {
		t.Error("the old key opens what was sealed after it")
	}
	if got := db.PlatformState(); got != (PlatformState{
		Keys: 2, Since: now, Until: now.Add(outside)}) {
		t.Errorf("%+v", got)
	}
	// Restarts on the way keep both keys.
	now = now.Add(2 * outside)
	db = clocked(t, s, &now)
	if got := db.PlatformState(); got.Keys != 2 || got.Resealed || db.StartNumber() != 3 {
		t.Errorf("start %d, %+v", db.StartNumber(), got)
	}
	if n := reseal(t, db); n != 3*resealRows+2 {
		t.Errorf("%d values were sealed anew", n)
	}
	if n := stale(t, s, epoch); n != 0 {
		t.Errorf("%d values are under the old key", n)
	}
	if got, err := db.Platform().OpenBox(nil, nil, token); string(got) != "token" {
		t.Errorf("what is outside, before the start: %q, %v", got, err)
	}
	db = clocked(t, s, &now)
	if got := db.PlatformState(); got.Keys != 1 || !got.Resealed {
		t.Errorf("%+v", got)
	}
	if _, err := db.Platform().OpenBox(nil, nil, token); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("what is outside, long after: %v", err)
	}
	if v, ok := get(t, db, "empty"); v != "" || !ok {
		t.Errorf("%q, %v is left of an empty value", v, ok)
	}
	if v, _ := get(t, db, "id 0007"); v != "value" || !bytes.Equal(db.MAC("label", "name"), mac) {
		t.Errorf("%q is left, or digests are others", v)
	}
	if rows := checked(t, s, int64(3*resealRows+3+4)); len(rows) > 0 {
		t.Errorf("damaged: %q", rows)
	}
}

// TestPlatformOutside: a key that a session may rest on stays through starts and
// rotations of the root key until the longest one is over, and goes with a rotation, too.
func TestPlatformOutside(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := memory.New(memory.Config{Shards: 1})
	s := openShard(t, e)
	db := clocked(t, s, &now)
	token, err := db.Platform().SealBox(nil, nil, []byte("token"))
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, db)
	reseal(t, db)
	if n := reseal(t, db); n != 0 {
		t.Errorf("%d values were sealed anew once more", n)
	}
	now = now.Add(outside - 1)
	db = clocked(t, s, &now)
	if err := db.RotateRoot(t.Context(), testRoot(1), []byte("h"), noted); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Platform().OpenBox(nil, nil, token); string(got) != "token" {
		t.Errorf("before its time: %q, %v", got, err)
	}
	now = now.Add(1)
	if err := db.RotateRoot(t.Context(), testRoot(1), []byte("h"), noted); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Platform().OpenBox(nil, nil, token); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("after it: %v", err)
	}
	db = clocked(t, s, &now)
	if got := db.PlatformState(); got.Keys != 1 {
		t.Errorf("%+v", got)
	}
}

// TestRotatePlatformRefused: another root key, a unit of work around it and a full ring
// change nothing, and what a unit of work that fails would have changed neither.
func TestRotatePlatformRefused(t *testing.T) {
	t.Parallel()
	db, e := newDB(t)
	s := db.shard
	put(t, db, "id", "value")
	for range maxRing - 1 {
		rotate(t, db)
	}
	before := contents(t, s)
	if err := db.RotatePlatform(t.Context(), testRoot(1), noted); fault.KindOf(err) !=
		fault.Exhausted || !strings.Contains(err.Error(), "16 platform keys") {
		t.Errorf("full: %v", err)
	}
	if err := db.RotatePlatform(t.Context(), testRoot(2), noted); !errors.Is(err, ErrRootKey) {
		t.Errorf("another root key: %v", err)
	}
	failure := errors.New("no record")
	err := db.RotateRoot(t.Context(), testRoot(1), nil, func(context.Context, *Tx) error {
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("without a record: %v", err)
	}
	err = db.Update(t.Context(), func(ctx context.Context, _ *Tx) error {
		return db.RotateRoot(ctx, testRoot(1), nil, noted)
	})
	if err == nil {
		t.Error("rotated within a unit of work")
	}
	if after := contents(t, s); len(after) != len(before) ||
		after[string(keyRoot)] != before[string(keyRoot)] {
		t.Error("something was changed")
	}
	if v, _ := get(t, openDB(t, e), "id"); v != "value" {
		t.Errorf("%q is left", v)
	}
}

// TestResealedLate: what was sealed anew for one key says nothing of the next one.
func TestResealedLate(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	rotate(t, db)
	epoch := db.Platform().Newest()
	rotate(t, db)
	if err := db.Resealed(t.Context(), epoch); err != nil || db.PlatformState().Resealed {
		t.Errorf("%+v, %v", db.PlatformState(), err)
	}
	reseal(t, db)
	if s := db.PlatformState(); !s.Resealed || s.Keys != 3 {
		t.Errorf("%+v", s)
	}
}

// TestResealDamaged: a value that does not open is left and told; the others are sealed anew.
func TestResealDamaged(t *testing.T) {
	t.Parallel()
	db, _ := newDB(t)
	s := db.shard
	for _, id := range []string{"a", "b", "c"} {
		put(t, db, id, "value")
	}
	box := []byte(contents(t, s)[string(testTable.key([]byte("b")))])
	box[len(box)-1] ^= 1
	overwrite(t, s, string(testTable.key([]byte("b"))), box)
	rotate(t, db)
	n, err := db.Reseal(t.Context(), atOnce)
	if n != 3 || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%d, %v", n, err)
	}
	if !bytes.Equal([]byte(contents(t, s)[string(testTable.key([]byte("b")))]), box) {
		t.Error("the damaged value was written")
	}
}

// TestRotateCrash takes the disk at every change while keys are replaced and values sealed
// anew, twice. Every start over what is left opens all of them, and ends the work.
func TestRotateCrash(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	open := func(disk *storetest.Disk) (*DB, *embedded.Engine) {
		e, err := embedded.Open(embedded.Config{Dir: "data", FS: disk, Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		return openDB(t, e), e
	}
	db, e := open(disk)
	put(t, db, "id", "value")
	var images []*storetest.Disk
	disk.OnChange(func(c storetest.Change) error {
		images = append(images, disk.Lose(c.N%3*50, uint64(c.N)))
		return nil
	})
	for range 2 {
		rotate(t, db)
		put(t, db, "more", "value")
		reseal(t, db)
	}
	disk.OnChange(nil)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	keys := map[int]int{}
	for i, image := range images {
		db, e := open(image)
		keys[db.PlatformState().Keys]++
		if v, _ := get(t, db, "id"); v != "value" {
			t.Fatalf("image %d: %q", i, v)
		}
		reseal(t, db)
		if n := stale(t, db.shard, db.Platform().Newest()); n != 0 {
			t.Errorf("image %d: %d values are under an old key", i, n)
		}
		rotate(t, db)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 3 || len(images) < 10 {
		t.Errorf("%d images with so many keys: %v", len(images), keys)
	}
}
