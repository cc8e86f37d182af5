package sqs

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/seal"
)

// managedKey is the number of the data key that SSE-SQS seals a realm's messages with.
const managedKey = 1

// contextKey is in the encryption context of a data key; the value names what it is for.
const contextKey = "aws:sqs:arn"

// keyRow is a stored data key; doc/format/services.md describes it. Records name their
// data key by its number, so one that a record may name is never removed ([Service.SweepKeys]).
type keyRow struct {
	Version int       `json:"version"`
	Number  uint32    `json:"number"` // within the realm
	ID      uuid.UUID `json:"id"`     // of the keyring's domain
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Key     string    `json:"key"` // ARN of the KMS key
	// Named is the ARN by which the queue names the KMS key, and Made when it was the
	// queue's turn; empty for the key of SSE-SQS.
	Named   string    `json:"named,omitempty"`
	Made    time.Time `json:"made,omitzero"`
	Context string    `json:"context"` // the value of contextKey
	Wrapped []byte    `json:"wrapped"` // ciphertext of KMS
}

// dataKey is what a record is sealed with: a domain of the keyring, so that a fence of
// its KMS key takes it away.
type dataKey struct {
	stored atomic.Pointer[keyRow] // the last durable one
	realm  *realm
	domain *keyring.Domain
	asked  sync.Once // for its key; after that the keyring asks by itself
	made   time.Time // in this process: since then its reuse period runs
	users  watchers  // the queues that seal with it
}

func (k *dataKey) row() *keyRow { return k.stored.Load() }

func (k *keyRow) realm() realmName { return realmName{k.Account, k.Region} }

func (k *keyRow) put(tx *control.Tx) error {
	v, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode data key: %w", err)
	}
	tx.Put(control.TableSQSKey, keyID(tx, k), v)
	return nil
}

func keyID(m MACs, k *keyRow) []byte {
	return binary.BigEndian.AppendUint32(realmID(m, k.realm()), k.Number)
}

func realmID(m MACs, n realmName) []byte { return m.MAC("sqs/realm", n.account, n.region) }

// scanKeys reads all data keys. Many name the same account, queue and KMS key: those texts
// are in memory once.
func scanKeys(tx *control.Tx, fn func(*keyRow)) error {
	texts := map[string]string{}
	return tx.Scan(control.TableSQSKey, nil, func(_, value []byte) error {
		k := &keyRow{}
		if err := json.Unmarshal(value, k); err != nil {
			return fmt.Errorf("data key: %w", err)
		}
		if k.Version != rowVersion {
			return fmt.Errorf("data key %s: row version %d", k.ID, k.Version)
		}
		for _, s := range []*string{&k.Account, &k.Region, &k.Key, &k.Named, &k.Context} {
			if _, ok := texts[*s]; !ok {
				texts[*s] = *s
			}
			*s = texts[*s]
		}
		fn(k)
		return nil
	})
}

// ensureManaged makes the realm's own data key if there is none, in the unit of work of
// ctx. It rests on a key of this service's account, which nobody can take away.
func (s *Service) ensureManaged(ctx context.Context, tx *control.Tx, name realmName) error {
	k := &keyRow{
		Version: rowVersion, Number: managedKey, ID: uuid.New(),
		Account: name.account, Region: name.region,
		Context: arn.New("sqs", name.region, name.account, "*").String(),
	}
	_, ok, err := tx.Get(control.TableSQSKey, keyID(tx, k))
	if ok || err != nil {
		return err
	}
	if k.Key, err = s.kms.EnsureOwned(ctx, name.region); err != nil {
		return err
	}
	out, err := s.kms.As(k.who()).GenerateDataKeyWithoutPlaintext(ctx,
		&kms.GenerateDataKeyWithoutPlaintextInput{
			KeyId: k.Key, KeySpec: "AES_256", EncryptionContext: k.context(),
		})
	if err != nil {
		return fmt.Errorf("data key of %s: %w", k.Context, err)
	}
	k.Wrapped = out.CiphertextBlob
	tx.After(func() { s.keep(k) })
	return k.put(tx)
}

func (k *keyRow) context() map[string]string { return map[string]string{contextKey: k.Context} }

// who is this service itself, on the trail of the account that owns the KMS key.
func (k *keyRow) who() Who {
	w := Who{Account: k.Account, Region: k.Region, SourceARN: k.Context}
	if a, err := arn.Parse(k.Key); err == nil {
		w.Account = a.Account
	}
	return w
}

// keep takes a stored data key into memory, locked until it is opened.
func (s *Service) keep(row *keyRow) {
	k := &dataKey{}
	k.stored.Store(row)
	id := seal.DomainID(row.ID)
	k.domain = s.ring.Add(id, row.Key, nil, s)
	k.domain.Watch(k.users.tell)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = k
	k.realm = s.realms[row.realm()]
	if k.realm == nil {
		k.realm = newRealm(s.db, row.realm())
		s.realms[row.realm()] = k.realm
	}
	k.realm.add(k)
}

// forgetKey takes a data key out of memory whose row is gone.
func (s *Service) forgetKey(k *dataKey) {
	k.realm.remove(k)
	id := k.domain.ID()
	s.mu.Lock()
	delete(s.keys, id)
	s.mu.Unlock()
	s.ring.Remove(id)
}

// OpenDomain asks KMS for a data key.
func (s *Service) OpenDomain(ctx context.Context, id seal.DomainID) (seal.Secret, error) {
	s.mu.RLock()
	k := s.keys[id]
	s.mu.RUnlock()
	if k == nil {
		return nil, fault.New(fault.KeyUnavailable, "The data key does not exist.")
	}
	if k.customers() {
		return s.openCustomers(ctx, k)
	}
	out, err := s.kms.As(k.row().who()).Decrypt(ctx, &kms.DecryptInput{
		KeyId: k.row().Key, CiphertextBlob: k.row().Wrapped, EncryptionContext: k.row().context(),
	})
	if err != nil {
		return nil, reason(err)
	}
	return out.Plaintext, nil
}

// reason turns a refusal of KMS into why the key is locked. What may pass by itself
// stays as it is.
func reason(err error) error {
	f, ok := errors.AsType[wire.Fault](err)
	if !ok {
		return err
	}
	if _, status := f.Fault(); status >= 500 {
		return err
	}
	text := f.Error()
	if m, ok := f.(wire.Messenger); ok {
		text = m.FaultMessage()
	}
	return fault.Wrap(fault.KeyUnavailable, err, text)
}
