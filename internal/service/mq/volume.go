package mq

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	volumeKey = "aws:ebs:id" // encryption context of a volume's data key

	// What Amazon MQ's published events show (acceptance GRT-09).
	volumeAgent = "ExampleDesktop/1.0 (V1; OS)"
)

// newVolume makes a volume's grant and its data key.
func (s *Service) newVolume(ctx context.Context, b *row, id string) (*volume, error) {
	v := &volume{ID: id}
	use := map[string]string{volumeKey: v.ID}
	parent := b.as(Principal)
	if len(b.Grants) > 0 {
		parent.Grant = b.Grants[0].ID
		ebs := parent
		ebs.UserAgent = volumeAgent
		out, err := s.kms.As(ebs).CreateGrant(ctx, &kms.CreateGrantInput{
			KeyId: b.Key, Operations: []string{"Decrypt"},
			Constraints:      &kms.GrantConstraints{EncryptionContextSubset: use},
			GranteePrincipal: Principal, RetiringPrincipal: b.ec2(),
		})
		if err != nil {
			return nil, fmt.Errorf("create grant of volume %s: %w", v.ID, err)
		}
		v.Grant = out.GrantId
	}
	key, err := s.kms.As(parent).GenerateDataKeyWithoutPlaintext(ctx,
		&kms.GenerateDataKeyWithoutPlaintextInput{
			KeyId: b.Key, KeySpec: "AES_256", EncryptionContext: use,
		})
	if err != nil {
		return nil, fmt.Errorf("data key of volume %s: %w", v.ID, err)
	}
	v.DataKey = key.CiphertextBlob
	return v, nil
}

// wrap seals the broker key under the data key of a volume.
func (s *Service) wrap(
	ctx context.Context, b *row, v *volume, brokerKey seal.Secret,
) error {
	dataKey, err := s.openVolume(ctx, b, v)
	if err != nil {
		return err
	}
	defer dataKey.Wipe()
	v.BrokerKey, err = seal.Wrap(dataKey, wrapUse, b.wrapAAD(v), brokerKey)
	return err
}

// openVolume opens a volume's data key under the volume's own grant.
func (s *Service) openVolume(ctx context.Context, b *row, v *volume) (seal.Secret, error) {
	who := b.as(Principal)
	who.Grant = v.Grant
	out, err := s.kms.As(who).Decrypt(ctx, &kms.DecryptInput{
		KeyId: b.Key, CiphertextBlob: v.DataKey,
		EncryptionContext: map[string]string{volumeKey: v.ID},
	})
	if err != nil {
		return nil, fmt.Errorf("open data key of volume %s: %w", v.ID, err)
	}
	return out.Plaintext, nil
}

// OpenDomain gives the broker key to the keyring, if every grant of the broker
// is live and its KMS key can be used. Each use of the key names its grant.
func (s *Service) OpenDomain(ctx context.Context, id seal.DomainID) (seal.Secret, error) {
	b, err := s.read(ctx, uuid.UUID(id))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fault.New(fault.KeyUnavailable, "The broker does not exist.")
	}
	for _, g := range b.Grants {
		who := b.as(Principal)
		who.Grant = g.ID
		_, err := s.kms.As(who).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: b.Key})
		if err != nil {
			return nil, reason(b, g.Name, err)
		}
	}
	return s.unwrap(ctx, b)
}

// unwrap gives the broker key, which every volume must hold: one that cannot be opened is
// the end of all, as Amazon MQ has no cluster with a node that cannot read its disk.
func (s *Service) unwrap(ctx context.Context, b *row) (brokerKey seal.Secret, err error) {
	if len(b.Volumes) == 0 {
		return nil, fmt.Errorf("broker %s has no volume", b.brokerID())
	}
	defer func() {
		if err != nil {
			brokerKey.Wipe()
			brokerKey = nil
		}
	}()
	for i := range b.Volumes {
		v := &b.Volumes[i]
		dataKey, err := s.openVolume(ctx, b, v)
		if err != nil {
			return brokerKey, reason(b, "the grant of "+v.ID, err)
		}
		key, err := seal.Unwrap(dataKey, wrapUse, b.wrapAAD(v), v.BrokerKey)
		dataKey.Wipe()
		if err != nil {
			return brokerKey, fmt.Errorf("broker key of volume %s: %w", v.ID, err)
		}
		if i == 0 {
			brokerKey = key
			continue
		}
		same := subtle.ConstantTimeCompare(key, brokerKey) == 1
		key.Wipe()
		if !same {
			return brokerKey, errors.New("broker key of volume " + v.ID + " is another one")
		}
	}
	return brokerKey, nil
}

// reason turns an answer of KMS into the reason that clients of a locked broker
// see. An answer that may pass by itself stays as it is.
func reason(b *row, grant string, err error) error {
	if fault.KindOf(err) == fault.Denied {
		return fault.Wrap(fault.KeyUnavailable, err, "The key "+b.Key+
			" cannot be used: "+grant+" was revoked or retired, is suspended, or the key "+
			"policy denies it.")
	}
	if text, ok := refusal(err); ok {
		return fault.Wrap(fault.KeyUnavailable, err, text)
	}
	return err
}

func (b *row) as(principal string) Who {
	account := b.Account
	if a, err := arn.Parse(b.Key); err == nil {
		account = a.Account // under a key that AWS owns, its account's trail
	}
	return Who{
		Principal: principal, Account: account, Region: b.Region, SourceARN: b.arn(),
	}
}

func (b *row) ec2() string { return "ec2." + b.Region + ".amazonaws.com" }

func (b *row) wrapAAD(v *volume) []byte { return append(append([]byte{}, b.ID[:]...), v.ID...) }
