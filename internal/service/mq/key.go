package mq

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	grantName = "mq_grant"
	volumeKey = "aws:ebs:id" // encryption context of a volume's data key
	wrapUse   = "mq/broker-key"

	// What Amazon MQ's published events show (acceptance GRT-08, GRT-09).
	eventSource = "amazonmq.amazonaws.com"
	volumeAgent = "ExampleDesktop/1.0 (V1; OS)"
)

// grantOperations are those of a single instance's mq_grant, in AWS's order.
//
// Source: the Amazon MQ Developer Guide, "Data protection", sample events.
func grantOperations() []string {
	return []string{"CreateGrant", "Decrypt", "GenerateDataKeyWithoutPlaintext",
		"ReEncryptFrom", "ReEncryptTo", "DescribeKey"}
}

// encrypt gives the broker its key: it chooses the KMS key, makes the grants
// and seals a new broker key under the data key of each volume.
func (s *Service) encrypt(
	ctx context.Context, call *gateway.Call, b *row, opt *api.EncryptionOptions,
) error {
	var err error
	switch {
	case opt == nil || opt.UseAwsOwnedKey:
		if opt != nil && opt.KmsKeyId != "" {
			return bad("encryptionOptions",
				"A kmsKeyId cannot be given when useAwsOwnedKey is true.")
		}
		b.AWSOwned = true
		b.Key, err = s.kms.EnsureOwned(ctx, call.Region)
	case opt.KmsKeyId == "":
		b.Key, err = s.kms.EnsureManaged(ctx, call.Account, call.Region)
	default:
		b.Key, err = s.customerKey(ctx, call, opt.KmsKeyId)
	}
	if err != nil {
		return err
	}
	brokerKey := make(seal.Secret, seal.KeySize)
	rand.Read(brokerKey)
	defer brokerKey.Wipe()
	if !b.AWSOwned {
		// Amazon MQ's published events show no name, though ListGrants does.
		granting := Who{OnBehalf: true, Principal: Principal, EventSource: eventSource,
			Unshown: []string{"name"}}
		out, err := s.kms.As(granting).CreateGrant(ctx, &kms.CreateGrantInput{
			KeyId: b.Key, Name: grantName, Operations: grantOperations(),
			GranteePrincipal: Principal, RetiringPrincipal: Principal,
		})
		if err != nil {
			return fmt.Errorf("create grant %s: %w", grantName, unfit(b.Key, err))
		}
		b.Grants = append(b.Grants, grant{Name: grantName, ID: out.GrantId})
	}
	v, err := s.newVolume(ctx, b, brokerKey)
	if err != nil {
		return err
	}
	b.Volumes = append(b.Volumes, *v)
	return nil
}

// customerKey checks the key that the caller chose, with the caller's own
// permissions, and gives its ARN.
func (s *Service) customerKey(ctx context.Context, call *gateway.Call, id string) (string, error) {
	const attribute = "encryptionOptions"
	a, err := arn.Parse(id)
	if err == nil && (a.Account != call.Account || a.Region != call.Region) {
		return "", bad(attribute,
			"The KMS key ["+id+"] is not in the account and Region of the broker.")
	}
	caller := s.kms.As(Who{OnBehalf: true, Principal: Principal})
	out, err := caller.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
	if _, ok := errors.AsType[*kms.NotFoundException](err); ok {
		return "", bad(attribute, "The KMS key ["+id+"] does not exist.")
	}
	if err != nil {
		return "", fmt.Errorf("describe key: %w", unfit(id, err))
	}
	m := out.KeyMetadata
	switch {
	case m.KeySpec != "SYMMETRIC_DEFAULT" || m.KeyUsage != "ENCRYPT_DECRYPT":
		return "", bad(attribute, "The KMS key ["+m.Arn+"] is not a symmetric encryption key. "+
			"Amazon MQ supports symmetric encryption KMS keys only.")
	case m.KeyState != "Enabled":
		return "", bad(attribute, "The KMS key ["+m.Arn+"] is not enabled; its state is "+
			m.KeyState+".")
	}
	return m.Arn, nil
}

// newVolume makes a volume's grant and data key, and seals the broker key.
func (s *Service) newVolume(ctx context.Context, b *row, brokerKey seal.Secret) (*volume, error) {
	id := make([]byte, 9)
	rand.Read(id)
	v := &volume{ID: "vol-" + hex.EncodeToString(id)[:17]}
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
	dataKey, err := s.openVolume(ctx, b, v)
	if err != nil {
		return nil, err
	}
	defer dataKey.Wipe()
	v.BrokerKey, err = seal.Wrap(dataKey, wrapUse, b.wrapAAD(v), brokerKey)
	return v, err
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
	if len(b.Volumes) == 0 {
		return nil, fmt.Errorf("broker %s has no volume", b.brokerID())
	}
	v := &b.Volumes[0]
	dataKey, err := s.openVolume(ctx, b, v)
	if err != nil {
		return nil, reason(b, "the grant of "+v.ID, err)
	}
	defer dataKey.Wipe()
	return seal.Unwrap(dataKey, wrapUse, b.wrapAAD(v), v.BrokerKey)
}

// reason turns an answer of KMS into the reason that clients of a locked broker
// see. An answer that may pass by itself stays as it is.
func reason(b *row, grant string, err error) error {
	if fault.KindOf(err) == fault.Denied {
		return fault.Wrap(fault.KeyUnavailable, err, "The key "+b.Key+
			" cannot be used: "+grant+" was revoked or retired, or the key policy denies it.")
	}
	if text, ok := refusal(err); ok {
		return fault.Wrap(fault.KeyUnavailable, err, text)
	}
	return err
}

// refusal gives the text of an error that KMS blames its caller for.
func refusal(err error) (text string, ok bool) {
	f, ok := errors.AsType[wire.Fault](err)
	if !ok {
		return "", false
	}
	if _, status := f.Fault(); status >= 500 {
		return "", false
	}
	if m, ok := f.(wire.Messenger); ok {
		return m.FaultMessage(), true
	}
	return f.Error(), true
}

// unfit answers a refusal of KMS in Amazon MQ's words. A denial and a failure
// of ours stay what they are.
func unfit(key string, err error) error {
	text, ok := refusal(err)
	if !ok {
		return err
	}
	return bad("encryptionOptions", "The KMS key ["+key+"] cannot be used: "+text)
}

func (b *row) as(principal string) Who {
	account := b.Account
	if a, err := arn.Parse(b.Key); err == nil {
		account = a.Account // under a key that AWS owns, its account's trail
	}
	return Who{Principal: principal, Account: account, Region: b.Region}
}

func (b *row) ec2() string { return "ec2." + b.Region + ".amazonaws.com" }

func (b *row) wrapAAD(v *volume) []byte { return append(append([]byte{}, b.ID[:]...), v.ID...) }
