package keyring

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	testKey  = "arn:aws:kms:us-east-1:111122223333:key/1"
	otherKey = "arn:aws:kms:us-east-1:111122223333:key/2"
)

// kms is a source whose key can be disabled, and which can be slow.
type kms struct {
	mu    sync.Mutex
	why   error         // nil: the key can be used
	slow  time.Duration // time between deciding and answering
	gate  chan struct{} // when set, answers wait for a token or its end
	asked int
	given []seal.Secret
}

func (s *kms) OpenDomain(ctx context.Context, id seal.DomainID) (seal.Secret, error) {
	s.mu.Lock()
	s.asked++
	why, slow, gate := s.why, s.slow, s.gate
	secret := seal.Secret(bytes.Repeat(id[:], 2))
	s.given = append(s.given, secret)
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if why != nil {
		return nil, why
	}
	return secret, nil
}

func (s *kms) set(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = why
}

func (s *kms) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func disabled() error { return fault.New(fault.KeyUnavailable, "The key is disabled.") }
func unreachable() error {
	return fault.New(fault.Unavailable, "The KMS is starting.")
}

func newRing(t testing.TB) *Keyring {
	k := New(1, Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(k.Close)
	return k
}

// open adds a domain and opens it.
func open(t testing.TB, k *Keyring, id byte, key string, s Source, grants ...string) *Domain {
	t.Helper()
	d := k.Add(seal.DomainID{id}, key, grants, s)
	if err := k.Open(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

// works reports whether the domain seals and opens, and checks that it does
// both or neither.
func works(t testing.TB, d *Domain) bool {
	t.Helper()
	rec, err := d.Seal([]byte("dst"), seal.Header{}, []byte("text"))
	if err != nil {
		kind := fault.KindOf(err)
		if kind != fault.KeyUnavailable && kind != fault.Unavailable {
			t.Errorf("seal while locked: %v of kind %v", err, kind)
		}
		if string(rec) != "dst" || d.Locked() == nil {
			t.Errorf("seal failed, but gave %q; locked: %v", rec, d.Locked())
		}
		return false
	}
	out, err := d.Open(nil, rec[3:])
	if err != nil || string(out) != "text" || d.Locked() != nil {
		t.Errorf("open: %q, %v; locked: %v", out, err, d.Locked())
	}
	return true
}

// pass lets time pass in a bubble of synctest.
func pass(d time.Duration) { <-time.After(d) }
