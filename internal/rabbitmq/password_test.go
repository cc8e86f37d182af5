package rabbitmq

import (
	"context"
	"errors"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"coffer/internal/fault"
)

// TestHash: a hash shows nothing of the password, has its own salt, and opens
// for the password alone.
func TestHash(t *testing.T) {
	t.Parallel()
	h, ctx := NewHasher(), t.Context()
	password := []byte("correct horse")
	one, err := h.Hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.Hash(ctx, password)
	if err != nil || one == two || !strings.HasPrefix(one, "argon2id$") ||
		strings.Contains(one, "horse") {
		t.Errorf("%q and %q, %v", one, two, err)
	}
	for text, want := range map[string]bool{
		"correct horse": true, "": false, "correct horse\x00": false, "Correct horse": false,
		strings.Repeat("x", maxPassword+1): false,
	} {
		for range 2 { // computed, then remembered or not
			if ok, err := h.Verify(ctx, one, []byte(text)); ok != want || err != nil {
				t.Errorf("%.20q: %v %v", text, ok, err)
			}
		}
	}
	if len(h.seen) != 1 {
		t.Errorf("%d passwords are remembered, want the right one", len(h.seen))
	}
}

// TestRememberedVoid: what is remembered of one hash says nothing of another,
// so a changed password is checked anew, and in another process it means nothing.
func TestRememberedVoid(t *testing.T) {
	t.Parallel()
	h, ctx := NewHasher(), t.Context()
	old, err := h.Hash(ctx, []byte("old"))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := h.Hash(ctx, []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Verify(ctx, old, []byte("old")); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, _ := h.Verify(ctx, changed, []byte("old")); ok {
		t.Error("the old password is taken after the change")
	}
	if NewHasher().mark(old, []byte("old")) == h.mark(old, []byte("old")) {
		t.Error("two processes remember alike")
	}
	if h.mark("a", []byte("bc")) == h.mark("ab", []byte("c")) {
		t.Error("marks run together")
	}
	for i := range maxRemembered {
		h.seen[[32]byte{1, byte(i), byte(i >> 8)}] = struct{}{}
	}
	if ok, err := h.Verify(ctx, changed, []byte("new")); !ok || err != nil || len(h.seen) != 1 {
		t.Errorf("full: %v %v, %d remembered", ok, err, len(h.seen))
	}
}

// TestHashWaits: with every place taken a sign-in waits, and ends with its
// context.
func TestHashWaits(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	for range maxHashing {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, []byte("x")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("hash: %v", err)
	}
	<-h.slots
	hash, err := h.Hash(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Verify(t.Context(), hash, []byte("x")); !ok || err != nil {
		t.Errorf("verify: %v %v", ok, err)
	}
	h.slots <- struct{}{}
	if _, err := h.Verify(ctx, hash, []byte("y")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("verify: %v", err)
	}
	if ok, err := h.Verify(ctx, hash, []byte("x")); !ok || err != nil {
		t.Errorf("a remembered one waits: %v %v", ok, err)
	}
}

// TestHashOnce: of many connections that come at once with the same password those that
// have a place hash it; the others find it remembered when they get one.
func TestHashOnce(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	hash, err := h.Hash(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for range maxHashing {
		h.slots <- struct{}{}
	}
	const crowd = 50
	errs := make(chan error, crowd)
	for range crowd {
		go func() {
			ok, err := h.Verify(t.Context(), hash, []byte("x"))
			if err == nil && !ok {
				err = errors.New("the password is wrong")
			}
			errs <- err
		}()
	}
	before := h.derived.Load()
	for range maxHashing {
		<-h.slots
	}
	for range crowd {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := h.derived.Load() - before; n > maxHashing {
		t.Errorf("%d hashes for %d sign-ins", n, crowd)
	}
}

// FuzzParseHash: whatever is stored, reading it neither panics nor verifies.
func FuzzParseHash(f *testing.F) {
	f.Add("argon2id$c2FsdHNhbHRzYWx0c2FsdA$" + strings.Repeat("A", 43))
	f.Add("argon2id$$")
	f.Add("$2a$10$x")
	f.Add("")
	f.Fuzz(func(t *testing.T, hash string) {
		salt, key, err := parseHash(hash)
		if err == nil && (len(key) != argonKey || len(salt) == 0) {
			t.Errorf("%q: %d and %d bytes", hash, len(salt), len(key))
		}
	})
}

// TestHashLetsGo: the memory of hashes is collected after them.
func TestHashLetsGo(t *testing.T) {
	t.Parallel()
	forced := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	h, before := NewHasher(), forced()
	for range 2 {
		if _, err := h.Hash(t.Context(), []byte("correct horse")); err != nil {
			t.Fatal(err)
		}
	}
	for late := time.After(2 * time.Minute); forced() == before; {
		select {
		case <-late:
			t.Fatal("nothing was collected")
		case <-time.After(time.Millisecond):
		}
	}
}
