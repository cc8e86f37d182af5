package kit

import (
	"testing"
	"time"
)

// Patience is how long a wait for something that is to come lasts at most.
const Patience = 2 * time.Minute

// Wait asks again and again until fn says yes, and fails the test after
// Patience.
func Wait(t testing.TB, what string, fn func() bool) {
	t.Helper()
	if !poll(fn) {
		t.Fatalf("waited %v for %s", Patience, what)
	}
}

func poll(fn func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(Patience)
	for !fn() {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// Receive takes the next value of a channel, and fails the test after Patience
// or when the channel is closed.
func Receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("waited for %s: closed", what)
		}
		return v
	case <-time.After(Patience):
		t.Fatalf("waited %v for %s", Patience, what)
	}
	return v
}
