// Package iam is AWS Identity and Access Management: users, groups, roles and
// managed policies of each account, what they may do, and who holds which access
// key.
//
// It guarantees that secret keys are stored sealed and are given out once, when
// they are made, and to the signature check; that what a caller may do is read
// from the state at each request, so that a change counts from its answer on; that
// names are unique without regard to case and unique ids are never given twice, so
// that who is made anew under an old name inherits nothing; that a one-time code of
// an MFA device is right once; and that listings have an order that does not change.
// Operations of the model that are not here answer 501.
//
// It does not decide: it says what a request touches and which policies its caller
// has.
//
// Source: IAM API reference and user guide; doc/format/iam.md for what is stored.
package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// Service implements the IAM API and [gateway.Identities]. It is safe for
// concurrent use.
type Service struct {
	api.Unimplemented
	db        *control.DB
	documents documentCache
	uses      uses
	holders   control.Memo[string, *gateway.Identity] // by access key id
	stored    control.Memo[string, storedUse]         // likewise
}

var (
	_ api.Service        = (*Service)(nil)
	_ gateway.Access     = (*Service)(nil)
	_ gateway.Identities = (*Service)(nil)
)

// New makes the service over shard 0.
func New(db *control.DB) *Service { return &Service{db: db} }

// accountRow is a row of control.TableAccount: MAC of the account (16).
type accountRow struct {
	Account string    `json:"account"`
	Created time.Time `json:"created"`
	Alias   string    `json:"alias,omitempty"`
	Report  time.Time `json:"report,omitzero"` // when a credential report was asked for
}

// scope is the MAC that stands for an account in store keys (16).
func scope(m macs, account string) []byte { return m.MAC("iam/account", account) }

// macs makes the digests that stand for names in store keys: a unit of work, or the
// inspection of a stopped store.
type macs interface {
	MAC(label string, parts ...string) []byte
}

// update runs fn in the unit of work of the call, and view one that reads.
func (s *Service) update(ctx context.Context, fn func(*request) error) error {
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return fn(&request{s, tx, gateway.From(ctx)})
	})
}

func (s *Service) view(ctx context.Context, fn func(*request) error) error {
	return s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return fn(&request{s, tx, gateway.From(ctx)})
	})
}

// request is one call within its unit of work.
type request struct {
	s    *Service
	tx   *control.Tx
	call *gateway.Call
}

// account is whose entities the request is about: always the caller's own.
func (r *request) account() string { return r.call.Account }

func put(tx *control.Tx, t control.Table, id []byte, row any) error {
	v, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("encode row: %w", err)
	}
	tx.Put(t, id, v)
	return nil
}

// shownTime is a time as answers tell it: AWS's have whole seconds.
func shownTime(t time.Time) time.Time { return t.Truncate(time.Second) }
