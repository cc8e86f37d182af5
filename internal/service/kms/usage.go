package kms

import (
	"context"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
)

// maxUsageGrants bounds the grants of one report; all are counted.
const maxUsageGrants = 1000

// Use is the last successful use of a key or of a grant.
type Use struct {
	Operation string
	At        time.Time
	Who       string // ARN or service principal
	Via       string // the service that called on its behalf; may be empty
	Grant     string // id of the grant that allowed it; empty = something else did
	EventID   string
	Context   map[string]string // nil when it was empty or is not kept
}

func (u *keyUse) shown() *Use {
	if u == nil {
		return nil
	}
	return &Use{u.Operation, u.At, u.Who, u.Via, u.Grant, u.EventID, u.Context}
}

// GrantUsage is a grant and its last use.
type GrantUsage struct {
	ID, Name, Grantee, Retiring string
	Operations                  []string
	Created, Suspended          time.Time // zero: it is not suspended
	Last                        *Use      // nil = none is known
}

// Usage is what uses a key.
type Usage struct {
	ARN, State, Manager, Description string
	Created, Deletes                 time.Time
	Since                            time.Time // uses are known from then on
	Aliases                          []string
	Last                             *Use
	GrantCount                       int
	Grants                           []GrantUsage // at most 1000
}

// Usage tells what uses a key, in the unit of work of ctx's call. Who may see it
// is for UsageChecks.
func (s *Service) Usage(ctx context.Context, keyName string) (out *Usage, err error) {
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, keyName, anyName)
		if err != nil {
			return err
		}
		out, err = s.usage(ctx, tx, k)
		return err
	})
	return result(out, err)
}

func (s *Service) usage(ctx context.Context, tx *control.Tx, k *key) (*Usage, error) {
	m := k.metadata()
	u := &Usage{
		ARN: k.arn(), State: k.State, Manager: m.KeyManager, Description: k.Description,
		Created: k.Created, Deletes: m.DeletionDate, Aliases: k.Aliases, GrantCount: k.Grants,
	}
	since, last, err := s.lastUsage(ctx, tx, k)
	if err != nil {
		return nil, err
	}
	u.Since, u.Last = since, last.shown()
	id := k.id()
	err = tx.Scan(control.TableGrant, id[:], func(_, value []byte) error {
		if len(u.Grants) == maxUsageGrants {
			return control.ErrStop
		}
		g, err := parseGrant(value)
		if err != nil {
			return err
		}
		last, err := s.lastUse(tx, usedThing{id, g.id()})
		p := g.policy()
		u.Grants = append(u.Grants, GrantUsage{
			g.ID, g.Name, p.Grantee, p.Retiring, g.Operations, g.Created, g.Suspended, last.shown(),
		})
		return err
	})
	return u, err
}

// OwnedKey is an AWS-owned key, as those may see it for whom a service uses it.
type OwnedKey struct {
	ARN, Service, Region, State, Material string
	Created, Rotates                      time.Time
}

// Owned gives the AWS-owned key of a service in a Region; nil when no customer
// needed it yet.
func (s *Service) Owned(ctx context.Context, service, region string) (out *OwnedKey, err error) {
	err = s.view(ctx, func(tx *control.Tx) error {
		a, err := loadAlias(tx, OwnedAccount, region, reservedPrefix+service)
		if err != nil || a == nil {
			return err
		}
		k, err := byID(tx, OwnedAccount, region, a.Key)
		if err != nil {
			return err
		}
		out = &OwnedKey{
			ARN: k.arn(), Service: service, Region: region, State: k.State, Material: k.Material,
			Created: k.Created,
		}
		if k.Rotation != nil {
			out.Rotates = k.Rotation.Next
		}
		return nil
	})
	return out, err
}

// Bounds of what OwnedUses looks at and gives.
const (
	maxOwnedPages = 10
	maxOwnedUses  = 50
)

// OwnedUses gives the newest recorded uses of an AWS-owned key with one of these
// values of an encryption context's name: each customer sees their own.
func (s *Service) OwnedUses(ctx context.Context, k *OwnedKey, name string, values map[string]bool) (
	uses []Use, err error,
) {
	if s.cfg.Trail == nil || len(values) == 0 {
		return nil, nil
	}
	q := audit.Query{
		Account: OwnedAccount, Region: k.Region, Attribute: "ResourceName", Value: k.ARN,
	}
	for range maxOwnedPages {
		events, next, err := s.cfg.Trail.Lookup(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			pairs := contextOf(e)
			if !values[pairs[name]] {
				continue
			}
			u := useOf(e).shown()
			u.Context = pairs
			if uses = append(uses, *u); len(uses) == maxOwnedUses {
				return uses, nil
			}
		}
		if len(next) == 0 {
			break
		}
		q.After = next
	}
	return uses, nil
}

// contextOf gives the encryption context of a recorded request.
func contextOf(e *audit.Event) map[string]string {
	said, _ := e.RequestParameters["encryptionContext"].(map[string]any)
	pairs := map[string]string{}
	for name, value := range said {
		if v, ok := value.(string); ok {
			pairs[name] = v
		}
	}
	return pairs
}
