package control

import (
	"testing"

	"coffer/internal/seal"
	"coffer/internal/store/memory"
)

// TestCopy: the first start under another incarnation takes a number far from the
// last one, and those after it go on from there.
func TestCopy(t *testing.T) {
	t.Parallel()
	e := memory.New(memory.Config{Shards: 2})
	start := func(incarnation byte) uint32 {
		t.Helper()
		db, err := Open(t.Context(), openShard(t, e), testRoot(1),
			Config{Incarnation: [16]byte{incarnation}})
		if err != nil {
			t.Fatal(err)
		}
		return db.StartNumber()
	}
	if a, b := start(1), start(1); a != 1 || b != 2 {
		t.Fatalf("starts %d and %d", a, b)
	}
	first := start(2)
	if first < 3+apart || first >= 3+apart+spread {
		t.Errorf("the first start of a copy is %d", first)
	}
	if second := start(2); second != first+1 {
		t.Errorf("the second is %d after %d", second, first)
	}
	if third := start(1); third < first+apart {
		t.Errorf("a copy of the copy goes on with %d after %d", third, first)
	}
}

// TestStartOfOlder: a row of a program that noted no incarnation is no copy's.
func TestStartOfOlder(t *testing.T) {
	t.Parallel()
	secret := seal.Secret(make([]byte, seal.KeySize))
	row, err := seal.Wrap(secret, startPurpose, keyStart, []byte{0, 0, 0, 7})
	if err != nil {
		t.Fatal(err)
	}
	db := &DB{incarnation: [16]byte{1}}
	old := &ring{keys: []seal.Key{{Secret: secret}}}
	if err := db.follow(old, row); err != nil || db.start != 8 {
		t.Errorf("start %d, %v", db.start, err)
	}
	last := append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 16)...)
	if row, err = seal.Wrap(secret, startPurpose, keyStart, last); err != nil {
		t.Fatal(err)
	}
	for _, incarnation := range []byte{0, 1} {
		db = &DB{incarnation: [16]byte{incarnation}}
		if err := db.follow(old, row); err == nil {
			t.Errorf("goes on after the last number with %d", db.start)
		}
	}
}
