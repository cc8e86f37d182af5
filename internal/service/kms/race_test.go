package kms

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	api "coffer/internal/aws/api/kms"
	"coffer/internal/keyring"
	"coffer/internal/seal"
)

// TestUseAgainstRevocation uses a key from many sides while it is disabled,
// scheduled for deletion and rotated, and a grant on it suspended: what begins
// after the answer is refused until the key is back, and what was sealed opens.
func TestUseAgainstRevocation(t *testing.T) {
	t.Parallel()
	ring := keyring.New(1, keyring.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(ring.Close)
	w := newWorldWith(t, ring)
	name := w.key("root", object{})
	var g struct{ GrantId string }
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com",
		"Operations": []string{"Decrypt", "GenerateDataKeyWithoutPlaintext"},
	}, &g)
	made, err := w.client(g.GrantId).GenerateDataKeyWithoutPlaintext(t.Context(),
		&api.GenerateDataKeyWithoutPlaintextInput{KeyId: name, KeySpec: "AES_256"})
	if err != nil {
		t.Fatal(err)
	}
	d := ring.Add(seal.DomainID{1}, name, []string{g.GrantId}, broker{
		func(ctx context.Context) (seal.Secret, error) {
			out, err := w.client(g.GrantId).Decrypt(ctx,
				&api.DecryptInput{CiphertextBlob: made.CiphertextBlob})
			if err != nil {
				return nil, err
			}
			return out.Plaintext, nil
		},
	})
	changed := make(chan struct{}, 1)
	d.Watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &racing{w: w, name: name, domain: d}
	r.begin()
	defer r.end()
	for range 3 {
		for _, way := range r.ways(g.GrantId) {
			way.take()
			if d.Locked() == nil {
				t.Errorf("%s: the data key is there after the answer", way.name)
			}
			if _, err := d.Seal(nil, seal.Header{}, []byte("x")); err == nil {
				t.Errorf("%s: sealed after the answer", way.name)
			}
			got := w.do("root", "Encrypt", r.request())
			if way.key == strings.HasPrefix(got, "200") {
				t.Errorf("%s: %s", way.name, got)
			}
			way.give()
			for d.Locked() != nil {
				select {
				case <-changed:
				case <-t.Context().Done():
					t.Fatal(d.Locked())
				}
			}
		}
	}
	if r.uses.Load() == 0 {
		t.Error("nothing was used meanwhile")
	}
}

// way takes a key away and gives it back.
type way struct {
	name       string
	key        bool // the key itself, not only the grant
	take, give func()
}

// racing is who uses a key all the time.
type racing struct {
	w      *world
	name   string
	domain *keyring.Domain
	work   sync.WaitGroup
	over   atomic.Bool
	uses   atomic.Int64
}

func (r *racing) request() string { return `{"KeyId":"` + r.name + `","Plaintext":"aGk="}` }

func (r *racing) ways(grant string) []way {
	key := object{"KeyId": r.name}
	do := func(ops ...string) func() {
		return func() {
			for _, op := range ops {
				r.w.must("root", op, key, nil)
			}
		}
	}
	own := func(op string) func() {
		return func() {
			if got := r.w.own("root", op, r.name, grant); !strings.HasPrefix(got, "200") {
				r.w.t.Error(got)
			}
		}
	}
	return []way{
		{"disable", true, do("DisableKey"), do("EnableKey")},
		{"schedule", true, do("ScheduleKeyDeletion"), do("CancelKeyDeletion", "EnableKey")},
		{"suspend", false, own("Suspend"), own("Resume")},
		{"rotate and disable", true, do("RotateKeyOnDemand", "DisableKey"), do("EnableKey")},
	}
}

// begin uses the key until end; the refusals that revocation brings are expected,
// and nothing else.
func (r *racing) begin() {
	r.loop(func() {
		switch got := r.w.do("root", "Encrypt", r.request()); {
		case strings.HasPrefix(got, "200"):
			r.uses.Add(1)
		case !strings.HasPrefix(got, "400 DisabledException: ") &&
			!strings.HasPrefix(got, "400 KMSInvalidStateException: "):
			r.w.t.Errorf("encrypt: %s", got)
		}
	})
	r.loop(func() {
		rec, err := r.domain.Seal(nil, seal.Header{}, []byte("a message"))
		if err != nil {
			return
		}
		if text, err := r.domain.Open(nil, rec); err == nil && string(text) != "a message" {
			r.w.t.Errorf("opened %q", text)
		}
	})
	r.loop(func() {
		if err := r.w.svc.FlushUses(context.Background()); err != nil {
			r.w.t.Error(err)
		}
		r.w.do("root", "GetKeyLastUsage", `{"KeyId":"`+r.name+`"}`)
	})
}

func (r *racing) loop(fn func()) {
	r.work.Go(func() {
		for !r.over.Load() {
			fn()
		}
	})
}

func (r *racing) end() {
	r.over.Store(true)
	r.work.Wait()
}
