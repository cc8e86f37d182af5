package keyring

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/seal"
)

const testDelay = 5 * time.Minute

// delayed runs a test in a bubble with a keyring that delays and an open domain.
func delayed(t *testing.T, test func(t *testing.T, k *Keyring, s *kms, d *Domain)) {
	synctest.Test(t, func(t *testing.T) {
		k := New(1, Config{Delay: testDelay, Logger: slog.New(slog.DiscardHandler)})
		defer k.Close()
		s := &kms{}
		test(t, k, s, open(t, k, 1, testKey, s))
	})
}

// change makes the key usable or not, behind a fence.
func (s *kms) change(k *Keyring, why error) {
	lift := k.Fence(testKey, disabled())
	s.set(why)
	lift()
	synctest.Wait()
}

// TestDelayed_MQ12: with a delay a disabled key works on until it is over; an enabled one
// works at once.
func TestDelayed_MQ12(t *testing.T) {
	t.Parallel()
	delayed(t, func(t *testing.T, k *Keyring, s *kms, d *Domain) {
		var changes atomic.Int32
		d.Watch(func() { changes.Add(1) })
		s.change(k, disabled())
		pass(testDelay - time.Second)
		if !works(t, d) || changes.Load() != 0 {
			t.Errorf("locked before the delay is over: %v", d.Locked())
		}
		pass(2 * time.Second)
		if synctest.Wait(); works(t, d) || changes.Load() != 1 {
			t.Errorf("open after the delay; %d changes", changes.Load())
		}
		s.change(k, nil)
		if !works(t, d) {
			t.Errorf("enabled, but %v", d.Locked())
		}
	})
}

// TestDelayedBack: a key that is usable again when the delay is over was never away.
func TestDelayedBack(t *testing.T) {
	t.Parallel()
	delayed(t, func(t *testing.T, k *Keyring, s *kms, d *Domain) {
		var changes atomic.Int32
		d.Watch(func() { changes.Add(1) })
		s.change(k, disabled())
		pass(testDelay / 2)
		s.change(k, nil)
		pass(2 * testDelay)
		if synctest.Wait(); !works(t, d) || changes.Load() != 0 {
			t.Errorf("%v, %d changes", d.Locked(), changes.Load())
		}
		for _, secret := range s.given {
			if string(secret) != string(make([]byte, len(secret))) {
				t.Error("a secret that was asked for is not wiped")
			}
		}
	})
}

// TestDelayedUnreachable: no answer is not a no.
func TestDelayedUnreachable(t *testing.T) {
	t.Parallel()
	delayed(t, func(t *testing.T, k *Keyring, s *kms, d *Domain) {
		s.change(k, unreachable())
		pass(2 * testDelay)
		if synctest.Wait(); !works(t, d) {
			t.Error(d.Locked())
		}
		s.set(disabled())
		pass(time.Minute)
		if synctest.Wait(); works(t, d) {
			t.Error("open though the key is disabled")
		}
	})
}

// TestDelayedRemove: a domain that is destroyed is locked at once all the same.
func TestDelayedRemove(t *testing.T) {
	t.Parallel()
	delayed(t, func(t *testing.T, k *Keyring, s *kms, d *Domain) {
		s.change(k, disabled())
		k.Remove(seal.DomainID{1})
		if works(t, d) {
			t.Error("open")
		}
	})
}
