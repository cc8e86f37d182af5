// Package kms is the key management service: keys and their material, aliases,
// key policies, grants, and the operations that encrypt with them.
//
// Guarantees: key material leaves the package only as the plaintext that an
// operation is there to give; it is stored in boxes under the platform key and
// bound to its key. Every operation names what it touches, so that the gateway
// decides before anything is used. Disabling a key, changing its policy and
// ending a grant fence the holders of data keys before they are durable, and
// lift the fence when they are or when they failed. Operations of the model that
// are not here answer 501.
//
// It does not authorize by itself and keeps no plaintext of its users. Changes of
// tags and aliases do not fence, even where a key policy's condition looks at
// them. What Go's memory manager copied cannot be wiped.
//
// Source: AWS KMS API reference and developer guide; doc/format/kms.md for what
// is stored.
package kms

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/telemetry/trace"
)

// OwnedAccount is the account of AWS-owned keys: those that services use for
// customers who named none. No customer can have it.
const OwnedAccount = "900000000001"

// Fencer takes data keys away from whoever holds them in memory.
type Fencer interface {
	// Fence returns when no data key under the KMS key is in use and none can
	// come into use. lift ends it; the holders then ask the KMS again.
	Fence(key string, why error) (lift func())
	// FenceGrant is Fence for the data keys that were had by one grant.
	FenceGrant(key, grant string, why error) (lift func())
	// Recheck lets holders without a data key ask the KMS again.
	Recheck(key string)
}

// Holders is a Fencer that knows from whom it would take keys.
type Holders interface {
	// Held lists the domains that have a data key under the KMS key or, if one is
	// named, by a grant on it.
	Held(key, grant string) []seal.DomainID
}

// maxHolders bounds the holders that an event names.
const maxHolders = 100

// Config tunes a Service; the zero value is the default.
type Config struct {
	// MaxGrants bounds the grants of one key; default 50000, AWS's quota.
	MaxGrants int
	// MaxAliases bounds the aliases of one key; default 50, AWS's quota.
	MaxAliases int
	// Trail takes the events of what happens by the clock, and knows the last uses
	// of keys before a crash; nil = neither.
	Trail Trail
	// Directory knows who stands behind the names in key policies and grants; nil: names
	// are all there is.
	Directory Directory
	// Rates bound how often accounts may call; default not at all.
	Rates Rates
}

// Trail is the audit trail.
type Trail interface {
	// Append puts an event into the unit of work.
	Append(tx *control.Tx, e *audit.Event) error
	// Lookup finds events, the newest first.
	Lookup(ctx context.Context, q audit.Query) (events []*audit.Event, next []byte, err error)
}

// Directory knows users and roles.
type Directory interface {
	// UniqueIDs gives their unique ids by their ARNs. One that does not exist is an error
	// of kind fault.NotFound; those of accounts that are not of this store are left out.
	UniqueIDs(ctx context.Context, names []string) (map[string]string, error)
	// PresentNames gives the text of a policy with the names that those have now whom
	// UniqueIDs found, and with the unique ids of those who are gone.
	PresentNames(ctx context.Context, text string, ids map[string]string) (string, error)
}

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	kms.Unimplemented
	db       *control.DB
	fencer   Fencer
	cfg      Config
	policies policyCache
	making   chan struct{} // a place to make a costly key pair
	uses     uses
	rates    buckets
}

var (
	_ kms.Service      = (*Service)(nil)
	_ gateway.Access   = (*Service)(nil)
	_ gateway.Preparer = (*Service)(nil)
)

// New gives a service over the control state. fencer must not be nil.
func New(db *control.DB, fencer Fencer, cfg Config) (*Service, error) {
	if db == nil || fencer == nil {
		return nil, errors.New("kms: no control state or no fencer")
	}
	if cfg.MaxGrants == 0 {
		cfg.MaxGrants = 50000
	}
	if cfg.MaxAliases == 0 {
		cfg.MaxAliases = 50
	}
	return &Service{
		db: db, fencer: fencer, cfg: cfg, making: make(chan struct{}, 1),
		rates: buckets{rates: cfg.Rates, now: time.Now},
	}, nil
}

// fence takes the data keys under the key away until the unit of work is
// durable or has failed. Call it when nothing can refuse the change any more.
func (s *Service) fence(ctx context.Context, tx *control.Tx, k *key, why error) {
	s.fenced(ctx, tx, k, "", func() func() { return s.fencer.Fence(k.arn(), why) })
}

// fenceGrant is fence for a grant that ends.
func (s *Service) fenceGrant(ctx context.Context, tx *control.Tx, k *key, g *grant, why error) {
	s.fenced(ctx, tx, k, g.ID, func() func() {
		return s.fencer.FenceGrant(k.arn(), g.ID, why)
	})
}

// fenced raises a fence and puts on the call's event whom it took keys from, when
// and how fast. What happens by the clock is no call.
func (s *Service) fenced(
	ctx context.Context, tx *control.Tx, k *key, grant string, raise func() func(),
) {
	var held []seal.DomainID
	if h, ok := s.fencer.(Holders); ok {
		held = h.Held(k.arn(), grant)
	}
	_, span := trace.Child(ctx, "fence")
	began := time.Now()
	lift := raise()
	took := time.Since(began)
	span.Count("coffer.holders", len(held))
	span.End("")
	tx.After(lift)
	tx.Failed(lift)
	if call := gateway.Within(ctx); call != nil {
		names := []string{}
		for _, id := range held[:min(len(held), maxHolders)] {
			names = append(names, uuid.UUID(id).String())
		}
		call.AddEventData("fence", map[string]any{
			"key": k.arn(), "holders": names, "holderCount": len(held),
			"began": began.UTC().Format(time.RFC3339Nano), "tookMicroseconds": took.Microseconds(),
		})
	}
}

// recheck lets the holders of data keys ask again once the change is durable.
func (s *Service) recheck(tx *control.Tx, k *key) {
	name := k.arn()
	tx.After(func() { s.fencer.Recheck(name) })
}

// update runs fn in the unit of work of the call, and view one that reads.
func (s *Service) update(ctx context.Context, fn func(*control.Tx) error) error {
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error { return fn(tx) })
}

func (s *Service) view(ctx context.Context, fn func(*control.Tx) error) error {
	return s.db.View(ctx, func(_ context.Context, tx *control.Tx) error { return fn(tx) })
}
