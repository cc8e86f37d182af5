package keyring

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// TestReasonOf finds the class below what clients are told.
func TestReasonOf(t *testing.T) {
	t.Parallel()
	for want, list := range map[string][]error{
		"":          {nil},
		Unusable:    {disabled(), fmt.Errorf("wrapped: %w", disabled())},
		Unreachable: {unreachable(), errors.New("broken"), locked(testKey, errors.New("broken"))},
		Denied: {
			locked(testKey, fault.New(fault.Denied, "No.")),
			fault.Wrap(fault.KeyUnavailable, fault.New(fault.Denied, "No."), "Revoked."),
		},
		Missing: {locked(testKey, fault.New(fault.NotFound, "No."))},
	} {
		for _, err := range list {
			if got := ReasonOf(err); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}

// TestStats counts domains by their state, and what sources answered.
func TestStats(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	answers := map[string]int{}
	k := New(1, Config{
		Logger: slog.New(slog.DiscardHandler),
		Asked: func(took time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			answers[ReasonOf(err)]++
			if took < 0 {
				t.Errorf("took %v", took)
			}
		},
	})
	t.Cleanup(k.Close)
	open(t, k, 1, testKey, &kms{})
	open(t, k, 2, otherKey, &kms{})
	for id, why := range map[byte]error{
		3: disabled(), 4: fault.New(fault.Denied, "No."), 5: fault.New(fault.NotFound, "No."),
	} {
		d := k.Add(seal.DomainID{id}, testKey, nil, &kms{why: why})
		if k.Open(t.Context(), d) == nil {
			t.Errorf("domain %d is open", id)
		}
	}
	lift := k.Fence(otherKey, disabled())
	s := k.Stats()
	want := map[string]int{Unusable: 2, Denied: 1, Missing: 1, Unreachable: 0}
	if s.Open != 1 || !maps.Equal(s.Locked, want) {
		t.Errorf("got %+v", s)
	}
	mu.Lock()
	want = map[string]int{"": 2, Unusable: 1, Denied: 1, Missing: 1}
	if !maps.Equal(answers, want) {
		t.Errorf("got %v", answers)
	}
	mu.Unlock()
	lift()
}
