package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// TestFenceExcludes: while a fence stands no seal or open that begins succeeds,
// with many goroutines at it.
func TestFenceExcludes(t *testing.T) {
	t.Parallel()
	k, s := newRing(t), &kms{}
	d := open(t, k, 1, testKey, s)
	var stands, stop atomic.Bool
	var sealed, refused atomic.Int64
	var wg sync.WaitGroup
	text := make([]byte, 4<<10)
	for range 8 {
		wg.Go(func() {
			var rec, out []byte
			for !stop.Load() {
				fenced := stands.Load()
				var err error
				if rec, err = d.Seal(rec[:0], seal.Header{}, text); err == nil {
					sealed.Add(1)
					if fenced && stands.Load() {
						t.Error("sealed behind a fence")
					}
					if out, err = d.Open(out[:0], rec); err == nil && !bytes.Equal(out, text) {
						t.Error("opened something else")
					}
				}
				if err != nil {
					refused.Add(1)
					if fault.KindOf(err) != fault.KeyUnavailable {
						t.Errorf("refused with %v", err)
					}
					runtime.Gosched()
				}
			}
		})
	}
	for range 20 {
		lift := k.Fence(testKey, disabled())
		stands.Store(true)
		for n := refused.Load(); refused.Load() < n+8; {
			runtime.Gosched()
		}
		stands.Store(false)
		lift()
		for n := sealed.Load(); sealed.Load() < n+8; {
			runtime.Gosched()
		}
	}
	stop.Store(true)
	wg.Wait()
}

// TestFenceWaits: Fence does not return before the readers inside left.
func TestFenceWaits(t *testing.T) {
	t.Parallel()
	k := newRing(t)
	d := open(t, k, 1, testKey, &kms{})
	d.mu.RLock() // a reader inside
	secret := d.epochs
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		k.Fence(testKey, disabled())
	}()
	for d.mu.TryRLock() { // until Fence waits
		d.mu.RUnlock()
		runtime.Gosched()
	}
	select {
	case <-returned:
		t.Error("the fence stood with a reader inside")
	default:
	}
	if _, err := secret.SealBox(nil, nil, nil); err != nil {
		t.Errorf("the key was wiped under a reader: %v", err)
	}
	d.mu.RUnlock()
	<-returned
	if _, err := secret.SealBox(nil, nil, nil); !errors.Is(err, seal.ErrWiped) {
		t.Errorf("the key lives behind the fence: %v", err)
	}
}

// TestFenceTouches: which domains a fence locks, what they say, and who is told.
func TestFenceTouches(t *testing.T) {
	t.Parallel()
	type told struct {
		key string
		ids []seal.DomainID
	}
	var reports []told
	k := New(1, Config{
		Logger: slog.New(slog.DiscardHandler),
		Fenced: func(key string, ids []seal.DomainID, took time.Duration) {
			slices.SortFunc(ids, func(a, b seal.DomainID) int { return bytes.Compare(a[:], b[:]) })
			reports = append(reports, told{key, ids})
			if took < 0 {
				t.Error("negative time")
			}
		},
	})
	t.Cleanup(k.Close)
	a := open(t, k, 1, testKey, &kms{}, "grant a", "shared")
	b := open(t, k, 2, testKey, &kms{}, "grant b", "shared")
	c := open(t, k, 3, otherKey, &kms{}, "grant a")
	state := func() string { return fmt.Sprint(works(t, a), works(t, b), works(t, c)) }
	both := []seal.DomainID{{1}, {2}}
	for _, step := range []struct {
		key, grant string
		why        error
		want       string
		ids        []seal.DomainID
	}{
		{testKey, "", disabled(), "false false true", both},
		{testKey, "grant a", disabled(), "false true true", both[:1]},
		{testKey, "shared", disabled(), "false false true", both},
		{testKey, "grant", disabled(), "true true true", nil},
		{testKey[:len(testKey)-1], "", disabled(), "true true true", nil},
		{testKey, "", nil, "false false true", both},
	} {
		reports = nil
		raise := k.Fence
		if step.grant != "" {
			raise = func(key string, why error) func() { return k.FenceGrant(key, step.grant, why) }
		}
		lift := raise(step.key, step.why)
		if got := state(); got != step.want {
			t.Errorf("behind the fence: %s, want %s", got, step.want)
		}
		if len(reports) != 1 || !slices.Equal(reports[0].ids, step.ids) {
			t.Errorf("reported %v, want %v", reports, step.ids)
		}
		if err := a.Refresh(t.Context()); (err == nil) != works(t, a) {
			t.Errorf("refresh behind a fence: %v", err)
		}
		if got := state(); got != step.want {
			t.Errorf("after a refresh: %s, want %s", got, step.want)
		}
		lift()
		for _, d := range []*Domain{a, b, c} {
			if err := d.Refresh(t.Context()); err != nil {
				t.Errorf("after the lift: %v", err)
			}
		}
	}
}

// TestTwoFences: each holds by itself, and the newest gives the reason.
func TestTwoFences(t *testing.T) {
	t.Parallel()
	k := newRing(t)
	d := open(t, k, 1, testKey, &kms{}, "g")
	first := k.Fence(testKey, fault.New(fault.KeyUnavailable, "first"))
	second := k.FenceGrant(testKey, "g", fault.New(fault.Denied, "second"))
	refused := func(want string) {
		t.Helper()
		err := d.Refresh(t.Context())
		if err == nil || fault.KindOf(err) != fault.KeyUnavailable ||
			!strings.HasPrefix(err.Error(), want) {
			t.Errorf("refresh: %v, want %s", err, want)
		}
	}
	refused("second")
	first()
	first()
	refused("second")
	third := k.Fence(testKey, fault.New(fault.KeyUnavailable, "third"))
	second()
	refused("third")
	third()
	if err := d.Refresh(t.Context()); err != nil || !works(t, d) {
		t.Errorf("after every lift: %v", err)
	}
	// A domain that is added behind a fence waits for its end too.
	lift := k.Fence(otherKey, disabled())
	late := k.Add(seal.DomainID{9}, otherKey, nil, &kms{})
	if err := k.Open(t.Context(), late); err == nil || works(t, late) {
		t.Error("a domain added behind a fence opened")
	}
	lift()
	if err := late.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRefusedPublish: what meets a fence is refused with its reason and nothing
// is lost: what was sealed before opens after, under a new subkey.
func TestRefusedPublish(t *testing.T) {
	t.Parallel()
	k, s := newRing(t), &kms{}
	d := open(t, k, 1, testKey, s)
	var records [][]byte
	epochs := map[uint64]bool{}
	for i := range 5 {
		rec, err := d.Seal(nil, seal.Header{}, fmt.Append(nil, "message ", i))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rec)
		h, _ := seal.ParseRecord(rec)
		if epochs[h.Epoch] {
			t.Errorf("epoch %#x goes on after a fence", h.Epoch)
		}
		epochs[h.Epoch] = true
		lift := k.Fence(testKey, disabled())
		_, err = d.Seal(nil, seal.Header{}, []byte("refused"))
		if fault.KindOf(err) != fault.KeyUnavailable || err.Error() != "The key is disabled." {
			t.Errorf("refused with %v", err)
		}
		if out, err := d.Open([]byte("dst"), rec); err == nil || string(out) != "dst" {
			t.Errorf("opened %q behind a fence", out)
		}
		lift()
		if i == 2 { // a broker that is removed and added again
			k.Remove(d.ID())
			d = k.Add(seal.DomainID{1}, testKey, nil, s)
		}
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, rec := range records {
		out, err := d.Open(nil, rec)
		if err != nil || string(out) != fmt.Sprint("message ", i) {
			t.Errorf("record %d: %q, %v", i, out, err)
		}
	}
	for _, secret := range s.given {
		if !bytes.Equal(secret, make([]byte, seal.KeySize)) {
			t.Error("a secret of the source was not wiped")
		}
	}
}

func BenchmarkFence(b *testing.B) {
	k := newRing(b)
	for i := range 100 {
		open(b, k, byte(i), testKey, &kms{})
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	text := make([]byte, 1<<10)
	for w := range 4 {
		wg.Go(func() {
			var rec []byte
			d := k.domains[seal.DomainID{byte(w)}]
			for !stop.Load() {
				rec, _ = d.Seal(rec[:0], seal.Header{}, text)
				runtime.Gosched()
			}
		})
	}
	var total time.Duration
	for b.Loop() {
		begin := time.Now()
		lift := k.Fence(testKey, disabled())
		total += time.Since(begin)
		lift()
	}
	stop.Store(true)
	wg.Wait()
	b.ReportMetric(float64(total.Nanoseconds())/float64(b.N), "ns/fence")
}
