package keyring

import (
	"sync"
	"testing"

	"coffer/internal/seal"
)

// TestRebind: a domain that rests on another key is touched by the fences of that one and
// its grants, not by those of the former, and keeps its secret.
func TestRebind(t *testing.T) {
	t.Parallel()
	k, s := newRing(t), &kms{}
	d := open(t, k, 1, testKey, s, "g1")
	rec, err := d.Seal(nil, seal.Header{}, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	k.Rebind(d.ID(), otherKey, []string{"g2"})
	if d.Key() != otherKey || s.count() != 1 {
		t.Errorf("key %s, asked %d times", d.Key(), s.count())
	}
	lifts := []func(){k.Fence(testKey, disabled()), k.FenceGrant(otherKey, "g1", disabled())}
	if out, err := d.Open(nil, rec); err != nil || string(out) != "text" {
		t.Errorf("%q, %v", out, err)
	}
	for _, raise := range []func() func(){
		func() func() { return k.Fence(otherKey, disabled()) },
		func() func() { return k.FenceGrant(otherKey, "g2", disabled()) },
	} {
		lift := raise()
		if works(t, d) {
			t.Error("open under a fence of its key")
		}
		lift()
		if err := d.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, lift := range lifts {
		lift()
	}
	k.Rebind(seal.DomainID{9}, otherKey, nil) // there is none
}

// TestRebindUnderFence: a fence that stands before the new key takes the domain's secret
// at once, and one before the former key does not keep it from opening.
func TestRebindUnderFence(t *testing.T) {
	t.Parallel()
	k, s := newRing(t), &kms{}
	d := open(t, k, 1, testKey, s)
	told := make(chan struct{}, 8)
	d.Watch(func() { told <- struct{}{} })
	lift := k.Fence(otherKey, disabled())
	k.Rebind(d.ID(), otherKey, nil)
	if works(t, d) || len(told) != 1 {
		t.Fatalf("open under the new key's fence; told %d times", len(told))
	}
	<-told
	k.Rebind(d.ID(), testKey, nil) // back: it asks by itself
	<-told
	if !works(t, d) {
		t.Error("locked under a key without a fence")
	}
	lift()
}

// TestRebindRaces: fences and rebinding at once leave no domain open under a fence.
func TestRebindRaces(t *testing.T) {
	t.Parallel()
	k, s := newRing(t), &kms{}
	d := open(t, k, 1, testKey, s)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				k.Rebind(d.ID(), []string{testKey, otherKey}[i%2], nil)
			}
		})
		wg.Go(func() {
			for range 200 {
				one, other := k.Fence(testKey, disabled()), k.Fence(otherKey, disabled())
				if works(t, d) {
					t.Error("open under both fences")
				}
				one()
				other()
			}
		})
	}
	wg.Wait()
	if err := d.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}
