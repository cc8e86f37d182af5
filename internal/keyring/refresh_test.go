package keyring

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// TestSlowSource: an answer that is older than a fence is thrown away, and the
// source is asked again as soon as the fence is lifted.
func TestSlowSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, s := newRing(t), &kms{gate: make(chan struct{})}
		d := k.Add(seal.DomainID{1}, testKey, nil, s)
		opened := make(chan error, 1)
		go func() { opened <- k.Open(t.Context(), d) }()
		synctest.Wait()
		lift := k.Fence(testKey, disabled())
		s.gate <- struct{}{} // the old answer: here is the key
		if err := <-opened; fault.KindOf(err) != fault.Unavailable || works(t, d) {
			t.Errorf("an answer older than the fence: %v", err)
		}
		if why := d.Locked(); why.Error() != "The key is disabled." {
			t.Errorf("it replaced the reason of the fence: %v", why)
		}
		synctest.Wait()
		if s.count() != 1 {
			t.Errorf("asked %d times behind the fence", s.count())
		}
		begin := time.Now()
		lift()
		s.gate <- struct{}{}
		synctest.Wait()
		if !works(t, d) || time.Since(begin) != 0 {
			t.Errorf("after the lift: %v, %v later", d.Locked(), time.Since(begin))
		}
		close(s.gate)
	})
}

// TestSlowRefusal: a refusal that is older than a fence that was lifted does not
// stand: the key may have become usable with the change.
func TestSlowRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, s := newRing(t), &kms{gate: make(chan struct{}), why: disabled()}
		d := k.Add(seal.DomainID{1}, testKey, nil, s)
		k.Recheck(testKey)
		synctest.Wait()
		s.set(nil)
		k.Fence(testKey, disabled())()
		close(s.gate)
		synctest.Wait()
		if !works(t, d) {
			t.Errorf("locked: %v", d.Locked())
		}
	})
}

// TestLostWakeUp: a Recheck that arrives while the source is being asked leads
// to another question, whatever the first answer is.
func TestLostWakeUp(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]error{"standing": disabled(), "passing": unreachable()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, s := newRing(t), &kms{gate: make(chan struct{}), why: first}
				d := k.Add(seal.DomainID{1}, testKey, nil, s)
				k.Recheck(testKey)
				synctest.Wait() // the source has decided: no
				s.set(nil)
				begin := time.Now()
				for range 100 { // a storm leads to one more question, not to a hundred
					k.Recheck(testKey)
				}
				s.gate <- struct{}{}
				s.gate <- struct{}{}
				synctest.Wait()
				if !works(t, d) || time.Since(begin) != 0 || s.count() != 2 {
					t.Errorf("locked: %v; %v later, asked %d times", d.Locked(), time.Since(begin),
						s.count())
				}
				close(s.gate)
			})
		})
	}
}

func TestPassingErrors(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]error{
		"unavailable": unreachable(), "internal": errors.New("a bug, with details"),
		"deadline": context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, s := newRing(t), &kms{why: why}
				changes := 0
				d := k.Add(seal.DomainID{1}, testKey, nil, s)
				d.Watch(func() { changes++ })
				begin := time.Now()
				err := k.Open(t.Context(), d)
				f, ok := errors.AsType[*fault.Error](err)
				if !ok || f.Kind != fault.Unavailable || strings.Contains(f.Text, "details") {
					t.Errorf("first: %v", err)
				}
				pass(7 * time.Second)
				synctest.Wait()
				if n := s.count(); n < 4 || n > 6 {
					t.Errorf("asked %d times in 7 s", n)
				}
				s.set(nil)
				for d.Locked() != nil {
					pass(time.Millisecond)
				}
				if after := time.Since(begin); after > 9100*time.Millisecond {
					t.Errorf("opened after %v", after)
				}
				synctest.Wait()
				if changes != 2 || !works(t, d) {
					t.Errorf("watchers called %d times, want 2: the reason, open", changes)
				}
			})
		})
	}
}

// TestStandingErrors are not tried again, until Recheck.
func TestStandingErrors(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]error{
		"key":    disabled(),
		"denied": fault.Wrap(fault.Denied, errors.New("statement 3 of a policy"), "No grant."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, s := newRing(t), &kms{why: why}
				d := k.Add(seal.DomainID{1}, testKey, nil, s)
				err := k.Open(t.Context(), d)
				f, ok := errors.AsType[*fault.Error](err)
				if !ok || f.Kind != fault.KeyUnavailable || strings.Contains(f.Text, "statement") {
					t.Errorf("open: %v", err)
				}
				pass(time.Hour)
				s.set(nil)
				pass(time.Hour)
				if s.count() != 1 || works(t, d) {
					t.Errorf("asked %d times", s.count())
				}
				k.Recheck(otherKey)
				synctest.Wait()
				if s.count() != 1 {
					t.Error("a Recheck of another key asked")
				}
				k.Recheck(testKey)
				synctest.Wait()
				if s.count() != 2 || !works(t, d) {
					t.Errorf("after Recheck: asked %d times, %v", s.count(), d.Locked())
				}
			})
		})
	}
}

// TestStorm runs random changes of a key, some of which fail, against a source
// that answers late. In the end the domains show what the key is.
func TestStorm(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			k, s := newRing(t), &kms{slow: 5 * time.Millisecond}
			domains := []*Domain{
				k.Add(seal.DomainID{1}, testKey, []string{"g"}, s),
				k.Add(seal.DomainID{2}, testKey, nil, s),
			}
			for range 30 {
				switch r.IntN(6) {
				case 0: // disable
					lift := k.Fence(testKey, disabled())
					pass(time.Duration(r.IntN(8)) * time.Millisecond)
					s.set(disabled())
					lift()
				case 1: // enable
					s.set(nil)
					k.Recheck(testKey)
				case 2: // a change that fails
					k.Fence(testKey, disabled())()
				case 3: // two changes at once, lifted in either order
					a, b := k.Fence(testKey, disabled()), k.FenceGrant(testKey, "g", disabled())
					if r.IntN(2) == 0 {
						a, b = b, a
					}
					a()
					pass(time.Duration(r.IntN(8)) * time.Millisecond)
					b()
				case 4: // the KMS is away for a while
					s.set(unreachable())
					go k.Open(t.Context(), domains[r.IntN(2)])
				case 5:
					pass(time.Duration(r.IntN(3000)) * time.Millisecond)
				}
			}
			s.mu.Lock()
			usable := s.why == nil || fault.KindOf(s.why) == fault.Unavailable
			s.mu.Unlock()
			if usable {
				s.set(nil)
				k.Recheck(testKey)
			}
			pass(10 * time.Second)
			for i, d := range domains {
				if works(t, d) != usable {
					t.Errorf("seed %d, domain %d: locked with %v; the key is usable: %v", seed, i,
						d.Locked(), usable)
				}
			}
			before := s.count()
			pass(time.Hour)
			if s.count() != before {
				t.Errorf("seed %d: still asking", seed)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	k, s := newRing(t), &kms{}
	d := k.Add(seal.DomainID{1}, testKey, nil, s)
	other := open(t, k, 2, testKey, s)
	var states []bool
	d.Watch(func() {
		states = append(states, d.Locked() == nil)
		if d.Locked() != nil && other.Locked() == nil {
			t.Error("a watcher ran before every domain was fenced")
		}
	})
	second := 0
	d.Watch(func() { second++ })
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Refresh(t.Context()); err != nil { // open already: no change
		t.Fatal(err)
	}
	k.Fence(testKey, disabled())
	if len(states) != 2 || !states[0] || states[1] || second != 2 {
		t.Errorf("states %v; the second watcher ran %d times", states, second)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, s := newRing(t), &kms{}
		d := open(t, k, 1, testKey, s)
		if again := k.Add(d.ID(), otherKey, nil, &kms{}); again != d || d.Key() != testKey {
			t.Error("adding an id twice gave another domain")
		}
		changes := 0
		d.Watch(func() { changes++ })
		k.Remove(d.ID())
		k.Remove(d.ID())
		asked := s.count()
		k.Recheck(testKey)
		k.Fence(testKey, disabled())()
		err := d.Refresh(t.Context())
		synctest.Wait()
		if works(t, d) || changes != 1 || s.count() != asked ||
			fault.KindOf(err) != fault.KeyUnavailable {
			t.Errorf("a removed domain: %v, %d changes, asked %d times", err, changes,
				s.count()-asked)
		}
		// Removed while the source is asked: the answer opens nothing.
		slow := &kms{gate: make(chan struct{})}
		d = k.Add(seal.DomainID{3}, testKey, nil, slow)
		opened := make(chan error, 1)
		go func() { opened <- k.Open(t.Context(), d) }()
		synctest.Wait()
		k.Remove(d.ID())
		close(slow.gate)
		if err := <-opened; err == nil || works(t, d) {
			t.Errorf("opened after it was removed: %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine stays
		k := New(1, Config{})
		d := open(t, k, 1, testKey, &kms{})
		failing := k.Add(seal.DomainID{2}, testKey, nil, &kms{why: unreachable()})
		slow := k.Add(seal.DomainID{3}, testKey, nil, &kms{slow: time.Hour})
		k.Open(t.Context(), failing) // its error is the reason for what goes on behind it
		k.Recheck(testKey)
		synctest.Wait()
		begin := time.Now()
		k.Close()
		k.Close()
		if time.Since(begin) > time.Second {
			t.Errorf("Close took %v", time.Since(begin))
		}
		late := k.Add(seal.DomainID{4}, testKey, nil, &kms{})
		for _, d := range []*Domain{d, failing, slow, late} {
			if err := k.Open(t.Context(), d); err == nil || works(t, d) {
				t.Errorf("domain %x opened after Close: %v", d.ID(), err)
			}
		}
		k.Recheck(testKey)
		k.Fence(testKey, disabled())()
	})
}

func TestRefreshGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, s := newRing(t), &kms{gate: make(chan struct{})}
		d := k.Add(seal.DomainID{1}, testKey, nil, s)
		go d.Refresh(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Refresh(ctx); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a refresh behind a slow one: %v", err)
		}
		close(s.gate)
		synctest.Wait()
		if !works(t, d) {
			t.Error("the slow one did not open the domain")
		}
		// A source that gives too short a secret is broken, not obeyed.
		short := k.Add(seal.DomainID{2}, testKey, nil, shortSource{})
		if err := short.Refresh(t.Context()); err == nil || works(t, short) {
			t.Error("a short secret opened a domain")
		}
	})
}

type shortSource struct{}

func (shortSource) OpenDomain(context.Context, seal.DomainID) (seal.Secret, error) {
	return make(seal.Secret, seal.KeySize-1), nil
}
