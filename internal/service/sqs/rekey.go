package sqs

import (
	"cmp"
	"context"
	"slices"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// maxRekeyed bounds the data keys of one Rekey.
const maxRekeyed = 100

// Rekeyed is how far Rekey is.
type Rekeyed struct {
	Queue, Key string // ARNs; Key is empty when nothing was to be done
	Done, Left int    // data keys
}

// Rekey lets messages that were sent to a queue of the caller's account rest on another KMS
// key, by default the queue's present one, wherever dead letters and moves have taken them:
// the queue's data keys are wrapped under it instead, some by each call. No message is
// touched, and none is locked meanwhile. It is KMS's ReEncrypt by the caller, who needs the
// permissions for that; the old keys must be usable once more. A call is one unit of work,
// so a crash leaves each data key on the one key or on the other. The queue itself need not
// exist any more if a key is named.
//
// Errors: fault.NotFound; fault.Invalid when neither the queue nor the caller names a key;
// when nothing could be done, fault.KeyUnavailable or fault.Denied.
func (s *Service) Rekey(ctx context.Context, name, key string) (r Rekeyed, err error) {
	call := gateway.From(ctx)
	a := address{realmName{call.Account, call.Region}, name}
	r.Queue = a.arn()
	if key == "" {
		if key, err = s.presentKey(a); err != nil {
			return r, err
		}
	}
	target := a.kmsKey(key)
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		refused := map[string]error{} // by former key
		for _, k := range s.keysOf(r.Queue) {
			old := k.row()
			if old.Key == target {
				continue
			}
			_, there, err := tx.Get(control.TableSQSKey, keyID(tx, old))
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			if r.Done == maxRekeyed || refused[old.Key] != nil {
				r.Left++
				continue
			}
			row, err := s.rewrap(ctx, old, target)
			if err != nil {
				refused[old.Key] = err
				r.Left++
				continue
			}
			target, r.Key = row.Key, row.Key // it may have been an alias
			if err := s.restOn(tx, k, row); err != nil {
				return err
			}
			r.Done++
		}
		for _, err := range refused {
			if r.Done == 0 {
				return cannotLeave(err)
			}
		}
		return nil
	})
	return r, err
}

// presentKey gives how a queue names its KMS key.
func (s *Service) presentKey(a address) (string, error) {
	s.mu.RLock()
	q := s.queues[a]
	s.mu.RUnlock()
	if q == nil {
		return "", fault.New(fault.NotFound, "Queue %s does not exist.", a.arn())
	}
	if key := q.row.Load().rules.key; key != "" {
		return key, nil
	}
	return "", fault.New(fault.Invalid, "Queue %s has no KMS key of its own: name the key that "+
		"its messages are to rest on.", a.arn())
}

// keysOf lists the data keys that were made for a queue, the oldest first.
func (s *Service) keysOf(queue string) (list []*dataKey) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.keys {
		if k.customers() && k.row().Context == queue {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b *dataKey) int {
		return cmp.Compare(a.row().Number, b.row().Number)
	})
	return list
}

// rewrap gives the row of a data key under another KMS key, as the caller.
func (s *Service) rewrap(ctx context.Context, old *keyRow, key string) (*keyRow, error) {
	out, err := s.kms.As(Who{OnBehalf: true}).ReEncrypt(ctx, &kms.ReEncryptInput{
		CiphertextBlob: old.Wrapped, SourceKeyId: old.Key, DestinationKeyId: key,
		SourceEncryptionContext: old.context(), DestinationEncryptionContext: old.context(),
	})
	if err != nil {
		return nil, err
	}
	row := *old
	row.Key, row.Wrapped = out.KeyId, out.CiphertextBlob
	return &row, nil
}

// restOn stores a data key that is wrapped under another KMS key. It rests on that from
// before the end of the unit of work, so that nothing can happen to the new one unseen.
func (s *Service) restOn(tx *control.Tx, k *dataKey, row *keyRow) error {
	id := seal.DomainID(row.ID)
	old := k.row().Key
	s.ring.Rebind(id, row.Key, nil)
	tx.Failed(func() { s.ring.Rebind(id, old, nil) })
	tx.After(func() {
		k.stored.Store(row)
		s.ring.Rebind(id, row.Key, nil) // if it is locked it can be opened now
	})
	return row.put(tx)
}

func cannotLeave(err error) error {
	if fault.KindOf(err) == fault.Denied {
		return err
	}
	if err = reason(err); fault.KindOf(err) != fault.KeyUnavailable {
		return err
	}
	return fault.Wrap(fault.KeyUnavailable, err, "The messages cannot leave their key, which has "+
		"to open their data keys once more, or cannot have the other one: "+err.Error())
}

// KeyUser is a queue that has data keys under a KMS key.
type KeyUser struct {
	ARN, Account, Name string
	DataKeys           int
}

// KeyUsers lists the queues whose messages may rest on a KMS key, by ARN; also such as were
// deleted, whose dead letters may be in others.
func (s *Service) KeyUsers(key string) []KeyUser {
	s.mu.RLock()
	defer s.mu.RUnlock()
	count := map[KeyUser]int{}
	for _, k := range s.keys {
		if row := k.row(); k.customers() && row.Key == key {
			name := row.Context[len(address{row.realm(), ""}.arn()):]
			count[KeyUser{ARN: row.Context, Account: row.Account, Name: name}]++
		}
	}
	list := make([]KeyUser, 0, len(count))
	for u, n := range count {
		u.DataKeys = n
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b KeyUser) int { return cmp.Compare(a.ARN, b.ARN) })
	return list
}
