package iam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const home = "111122223333"

func open(t *testing.T, e *memory.Engine) (*Service, store.Shard) {
	t.Helper()
	shard, err := e.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(t.Context(), shard, bytes.Repeat([]byte{7}, 32), control.Config{
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return New(db), shard
}

// TestRoot: the root user's key is shown once, is good for its account, and is
// not readable in the store.
func TestRoot(t *testing.T) {
	t.Parallel()
	engine := memory.New(memory.Config{Shards: 1})
	s, shard := open(t, engine)
	var shown []AccessKey
	show := func(k AccessKey) error { shown = append(shown, k); return nil }
	for range 2 {
		if err := s.EnsureRoot(t.Context(), home, show); err != nil {
			t.Fatal(err)
		}
	}
	if len(shown) != 1 || !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(shown[0].ID) ||
		len(shown[0].Secret.Reveal()) != 40 {
		t.Fatalf("shown %v", shown)
	}
	key := shown[0]
	who, err := s.Identity(t.Context(), key.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if who.Secret != key.Secret || who.Principal.ARN != "arn:aws:iam::"+home+":root" ||
		who.Event.AccessKeyID != key.ID || who.Event.Type != "Root" || who.Event.AccountID != home {
		t.Errorf("%+v", who)
	}
	if text := fmt.Sprintf("%v %+v %#v", key, who, who.Secret); strings.Contains(text,
		key.Secret.Reveal()) {
		t.Errorf("printing shows the secret: %s", text)
	}
	snap := shard.Snapshot()
	defer snap.Close()
	it := snap.Iter(nil, nil)
	defer it.Close()
	for it.Next() {
		if bytes.Contains(it.Value(), []byte(key.Secret.Reveal())) ||
			bytes.Contains(it.Value(), []byte(home)) {
			t.Errorf("%q is readable", it.Key())
		}
	}
	again, _ := open(t, engine) // a restart
	if who, err := again.Identity(t.Context(), key.ID, ""); err != nil || who.Secret != key.Secret {
		t.Errorf("after a restart: %v", err)
	}
}

// TestUnknownKeys are told apart from nothing, and a session token makes every
// key unknown: none was issued.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	s, _ := open(t, memory.New(memory.Config{Shards: 1}))
	var key AccessKey
	err := s.EnsureRoot(t.Context(), home, func(k AccessKey) error { key = k; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"", ""}, {"AKIANOBODY", ""}, {strings.ToLower(key.ID), ""}, {key.ID + "A", ""},
		{key.ID, "token"},
	} {
		_, err := s.Identity(t.Context(), c[0], c[1])
		if fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// TestNotShown: a key that could not be shown is not made.
func TestNotShown(t *testing.T) {
	t.Parallel()
	s, _ := open(t, memory.New(memory.Config{Shards: 1}))
	full := errors.New("disk full")
	var lost AccessKey
	err := s.EnsureRoot(t.Context(), home, func(k AccessKey) error { lost = k; return full })
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := s.Identity(t.Context(), lost.ID, ""); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("the key exists: %v", err)
	}
	again := false
	show := func(AccessKey) error { again = true; return nil }
	if err := s.EnsureRoot(t.Context(), home, show); err != nil || !again {
		t.Errorf("%v, shown %v", err, again)
	}
}

// TestDamagedKey: a row that cannot be read is an error, not an unknown key.
func TestDamagedKey(t *testing.T) {
	t.Parallel()
	s, _ := open(t, memory.New(memory.Config{Shards: 1}))
	err := s.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		id := tx.MAC("iam/access-key", "AKIADAMAGED")
		tx.Put(control.TableAccessKey, id, []byte(`{"secret":"word"`))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Identity(t.Context(), "AKIADAMAGED", "")
	if err == nil || fault.KindOf(err) != fault.Internal || strings.Contains(err.Error(), "word") {
		t.Error(err)
	}
}
