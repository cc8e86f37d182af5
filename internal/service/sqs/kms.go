package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	managedAlias = "alias/aws/sqs"
	symmetric    = "SYMMETRIC_DEFAULT"
	// fencePatience bounds how long a request waits for a change of its key to end.
	fencePatience = 10 * time.Second
)

// errIdle: nobody who may use the KMS key of a data key has asked for it yet.
var errIdle = errors.New("sqs: data key was not asked for")

// kmsKey gives the ARN of the KMS key that a queue names. KMS would look for a name that
// is none in the account of who asks.
func (a address) kmsKey(name string) string {
	switch {
	case name == "" || strings.HasPrefix(name, "arn:"):
		return name
	case !strings.HasPrefix(name, "alias/"):
		name = "key/" + name
	}
	return arn.New("kms", a.region, a.account, name).String()
}

// ensureDefault makes the key that AWS manages for the queues of an account, if that is
// the one that a queue names. It is called in the unit of work in which the queue does.
func (s *Service) ensureDefault(ctx context.Context, a address, r *rules) error {
	if r.key != a.kmsKey(managedAlias) {
		return nil
	}
	_, err := s.kms.EnsureManaged(ctx, a.account, a.region)
	return err
}

// customers tells a data key that rests on a key of a customer, and so on what its users
// may do, from the one of SSE-SQS.
func (k *dataKey) customers() bool { return k.row().Number != managedKey }

// current tells whether the data key is the one to seal with now.
func (k *dataKey) current(r *rules, now time.Time) bool {
	return k.row().Named == r.key && now.Before(k.made.Add(r.reuse))
}

// sealing chooses the data key to seal with, and sees to it that the caller may use it:
// once in a reuse period KMS is asked for a new data key and for what is in it.
func (s *Service) sealing(ctx context.Context, q *queue, p *place) error {
	r := q.row.Load().rules
	if r.key == "" {
		p.choose(p.sealer.realm.key(managedKey))
		return nil
	}
	k := p.sealer.own.Load()
	if !k.current(r, s.now()) {
		var err error
		if k, err = s.renew(ctx, q, p); err != nil {
			return err
		}
	}
	in := &kms.GenerateDataKeyInput{
		KeyId: r.key, KeySpec: "AES_256", EncryptionContext: k.row().context(),
	}
	id := permitID{who(ctx), "GenerateDataKey", r.key, k.row().Context}
	if !s.permits.has(id, s.now().Add(-r.reuse)) ||
		s.kms.Permitted(ctx, "GenerateDataKey", in) != nil {
		out, err := s.kms.As(Who{OnBehalf: true}).GenerateDataKey(ctx, in)
		if err != nil {
			return s.kmsFault(ctx, nil, err)
		}
		seal.Secret(out.Plaintext).Wipe()
		s.permits.put(id, s.now())
	}
	return s.opening(ctx, k, r.reuse)
}

// renew makes the queue's data key of a new reuse period, as the caller.
func (s *Service) renew(ctx context.Context, q *queue, p *place) (*dataKey, error) {
	p.renewing.Lock()
	defer p.renewing.Unlock()
	r := q.row.Load().rules
	if k := p.sealer.own.Load(); k.current(r, s.now()) {
		return k, nil // somebody else has
	}
	row := &keyRow{
		Version: rowVersion, Number: p.sealer.realm.next(), ID: uuid.New(),
		Account: q.account, Region: q.region, Named: r.key, Context: q.arn(),
	}
	out, err := s.kms.As(Who{OnBehalf: true}).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: r.key, KeySpec: "AES_256", EncryptionContext: row.context(),
	})
	if err != nil {
		return nil, s.kmsFault(ctx, nil, err)
	}
	seal.Secret(out.Plaintext).Wipe()
	row.Key, row.Wrapped = out.KeyId, out.CiphertextBlob
	err = s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		row.Made = tx.Time()
		tx.After(func() { s.keep(row) })
		return row.put(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("keep data key of queue %s: %w", q.id, err)
	}
	k := p.sealer.realm.key(row.Number)
	k.made = s.now()
	s.permits.put(permitID{who(ctx), "GenerateDataKey", r.key, row.Context}, k.made)
	if err := s.opening(ctx, k, r.reuse); err != nil {
		return nil, err
	}
	p.choose(k)
	return k, nil
}

// unsealing sees to it that the caller may open what the queue seals now. So who may not
// takes no message away from others, and is told even if there is none.
func (s *Service) unsealing(ctx context.Context, q *queue, p *place) error {
	r := q.row.Load().rules
	if r.key == "" {
		return nil
	}
	return s.opening(ctx, p.sealer.own.Load(), r.reuse)
}

// opening sees to it that the caller may use a data key, and that it is in memory. KMS is
// asked when it is not, and for each principal once in a reuse period; what allows it is
// looked at each time.
func (s *Service) opening(ctx context.Context, k *dataKey, reuse time.Duration) error {
	if !k.customers() {
		return nil
	}
	id := permitID{who(ctx), "Decrypt", k.row().Key, k.row().Context}
	if k.domain.Locked() == nil && s.permits.has(id, s.now().Add(-reuse)) &&
		s.kms.Permitted(ctx, "Decrypt", k.decrypt()) == nil {
		return nil
	}
	asked := &question{}
	err := s.unlock(context.WithValue(ctx, questionKey{}, asked), k)
	if err == nil && !asked.put { // it was in memory
		var out *kms.DecryptOutput
		if out, err = s.kms.As(Who{OnBehalf: true}).Decrypt(ctx, k.decrypt()); err == nil {
			seal.Secret(out.Plaintext).Wipe()
		}
	}
	if asked.err != nil {
		err = asked.err
	}
	if err != nil {
		return s.kmsFault(ctx, k, err)
	}
	s.permits.put(id, s.now())
	return nil
}

// unlock asks for a data key as the caller of ctx. While its KMS key is being changed
// nobody can be asked, which is over soon.
func (s *Service) unlock(ctx context.Context, k *dataKey) error {
	ctx, cancel := context.WithTimeout(ctx, fencePatience)
	defer cancel()
	changed := make(chan struct{}, 1)
	mark := &sealer{}
	k.users.add(mark, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer k.users.remove(mark)
	for {
		err := k.domain.Refresh(ctx)
		if err == nil || ctx.Value(questionKey{}).(*question).err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return err
		}
	}
}

// question is what a caller asked KMS by way of the keyring.
type question struct {
	put bool
	err error
}

type questionKey struct{}

func (k *dataKey) decrypt() *kms.DecryptInput {
	return &kms.DecryptInput{
		CiphertextBlob: k.row().Wrapped, EncryptionContext: k.row().context(),
		EncryptionAlgorithm: symmetric,
	}
}

// openCustomers gives the keyring a data key that only a caller can have: the one of ctx.
// Without one it tells whether the KMS key can be used at all. What one caller is refused
// is no reason for others.
func (s *Service) openCustomers(ctx context.Context, k *dataKey) (seal.Secret, error) {
	if asked, ok := ctx.Value(questionKey{}).(*question); ok {
		out, err := s.kms.As(Who{OnBehalf: true}).Decrypt(ctx, k.decrypt())
		asked.put, asked.err = true, err
		if err == nil {
			return out.Plaintext, nil
		}
	}
	if err := s.kms.Usable(ctx, k.row().Key); err != nil {
		return nil, reason(err)
	}
	return nil, fault.Wrap(fault.KeyUnavailable, errIdle,
		"Nobody who may use the key "+k.row().Key+" has asked for the data key.")
}

// who is the principal of a call, for permits. Sessions under policies of their own are
// told apart.
func who(ctx context.Context) string {
	call := gateway.From(ctx)
	id := call.Principal.ARN + " " + call.Principal.UserID
	if call.Identity().Session != nil {
		id += " " + call.AccessKeyID()
	}
	return id
}

// permitID is what a principal asks KMS for once in a reuse period.
type permitID struct{ who, operation, key, context string }

// maxPermits bounds the permits in memory; beyond it KMS is asked more often.
const maxPermits = 100_000

// permits remember what KMS has allowed, and when. They stand for calls that need not be
// made again, not for decisions.
type permits struct {
	mu sync.Mutex
	at map[permitID]time.Time
}

func (p *permits) has(id permitID, since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.at[id]
	return ok && at.After(since)
}

func (p *permits) put(id permitID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil || len(p.at) >= maxPermits {
		p.at = map[permitID]time.Time{}
	}
	p.at[id] = at
}
