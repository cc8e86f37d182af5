// Package iam is AWS Identity and Access Management: who holds which access
// key. Today it knows the root user of each account; every operation of the API
// answers "not implemented".
//
// It guarantees that secret keys are stored sealed and are given out once, when
// they are made, and to the signature check.
package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Service implements the IAM API and [gateway.Identities].
type Service struct {
	api.Unimplemented
	db *control.DB
}

var (
	_ api.Service        = (*Service)(nil)
	_ gateway.Identities = (*Service)(nil)
)

// New makes the service over shard 0.
func New(db *control.DB) *Service { return &Service{db: db} }

// AccessKey is a new access key: the only time its secret is shown.
type AccessKey struct {
	ID     string // AKIA and 16 letters and digits
	Secret sigv4.Secret
}

type accountRow struct {
	Account string    `json:"account"`
	Created time.Time `json:"created"`
}

type keyRow struct {
	Account string    `json:"account"`
	Secret  string    `json:"secret"`
	Created time.Time `json:"created"`
}

// EnsureRoot makes the account and an access key of its root user, unless the
// account exists. show is given the key before it is durable, so that a key
// can never exist that nobody was shown; its error stops the making.
func (s *Service) EnsureRoot(
	ctx context.Context, account string, show func(AccessKey) error,
) error {
	err := s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		_, found, err := tx.Get(control.TableAccount, tx.MAC("iam/account", account))
		if err != nil || found {
			return err
		}
		key := newAccessKey()
		if err := show(key); err != nil {
			return err
		}
		made := accountRow{account, tx.Time()}
		if err := put(tx, control.TableAccount, tx.MAC("iam/account", account), made); err != nil {
			return err
		}
		row := keyRow{account, key.Secret.Reveal(), tx.Time()}
		return put(tx, control.TableAccessKey, tx.MAC("iam/access-key", key.ID), row)
	})
	if err != nil {
		return fmt.Errorf("root of account %s: %w", account, err)
	}
	return nil
}

// Identity finds the holder of an access key.
func (s *Service) Identity(ctx context.Context, accessKeyID, sessionToken string) (
	*gateway.Identity, error,
) {
	var row keyRow
	err := s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		v, ok, err := tx.Get(control.TableAccessKey, tx.MAC("iam/access-key", accessKeyID))
		if err != nil {
			return err
		}
		if !ok || sessionToken != "" { // no temporary credentials are issued yet
			return fault.New(fault.Unauthenticated,
				"The security token included in the request is invalid.")
		}
		return json.Unmarshal(v, &row)
	})
	if err != nil {
		return nil, err
	}
	root := RootIdentity(row.Account)
	root.Secret = sigv4.NewSecret(row.Secret)
	root.Event.AccessKeyID = accessKeyID
	return root, nil
}

// RootIdentity is the root user of an account, without a key.
func RootIdentity(account string) *gateway.Identity {
	p := policy.RootPrincipal(account)
	return &gateway.Identity{
		Principal: p,
		Event: audit.Identity{
			Type: "Root", PrincipalID: account, ARN: p.ARN, AccountID: account,
		},
	}
}

func newAccessKey() AccessKey {
	id, secret := make([]byte, 10), make([]byte, 30)
	rand.Read(id) // crypto/rand never fails: it ends the process instead
	rand.Read(secret)
	return AccessKey{
		ID:     "AKIA" + base32.StdEncoding.EncodeToString(id),
		Secret: sigv4.NewSecret(base64.StdEncoding.EncodeToString(secret)),
	}
}

func put(tx *control.Tx, t control.Table, id []byte, row any) error {
	v, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("encode row: %w", err)
	}
	tx.Put(t, id, v)
	return nil
}
