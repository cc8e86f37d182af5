package mq

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/seal"
)

const (
	wrapUse = "mq/broker-key"

	// What Amazon MQ's published events show (acceptance GRT-08).
	eventSource = "amazonmq.amazonaws.com"
)

// brokerGrant is a grant that a broker has beside those of its volumes.
type brokerGrant struct {
	name       string
	operations []string // in AWS's order
}

// brokerGrants are those of a deployment, in the order in which they are made. The first
// lets the others and those of the volumes be made and used.
//
// Source: the Amazon MQ Developer Guide, "Data protection", sample events.
func brokerGrants(deployment string) []brokerGrant {
	if deployment == cluster {
		return []brokerGrant{
			{"mq_grant", []string{"CreateGrant", "Encrypt", "Decrypt", "ReEncryptFrom",
				"ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
				"DescribeKey"}},
			{"mq_rabbit_grant", []string{"DescribeKey"}},
		}
	}
	return []brokerGrant{{"mq_grant", []string{"CreateGrant", "Decrypt",
		"GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "DescribeKey"}}}
}

// choose sets the KMS key of a broker, with the caller's own permissions.
func (s *Service) choose(
	ctx context.Context, call *gateway.Call, b *row, opt *api.EncryptionOptions,
) (err error) {
	b.AWSOwned = opt == nil || opt.UseAwsOwnedKey
	switch {
	case b.AWSOwned && opt != nil && opt.KmsKeyId != "":
		return bad("encryptionOptions",
			"A kmsKeyId cannot be given when useAwsOwnedKey is true.")
	case b.AWSOwned:
		b.Key, err = s.kms.EnsureOwned(ctx, call.Region)
	case opt.KmsKeyId == "":
		b.Key, err = s.kms.EnsureManaged(ctx, call.Account, call.Region)
	default:
		b.Key, err = s.customerKey(ctx, call, opt.KmsKeyId)
	}
	return err
}

// encrypt gives a new broker its key: it chooses the KMS key, and makes a broker key that
// rests on it.
func (s *Service) encrypt(
	ctx context.Context, call *gateway.Call, b *row, opt *api.EncryptionOptions,
) error {
	if err := s.choose(ctx, call, b, opt); err != nil {
		return err
	}
	brokerKey := make(seal.Secret, seal.KeySize)
	rand.Read(brokerKey)
	defer brokerKey.Wipe()
	var volumes []string
	for range nodes(b.DeploymentMode) {
		id := make([]byte, 9)
		rand.Read(id)
		volumes = append(volumes, "vol-"+hex.EncodeToString(id)[:17])
	}
	return s.rest(ctx, b, volumes, brokerKey)
}

// rest makes the broker key rest on b.Key: it makes the grants, and seals the broker key
// under a new data key of each volume. What b rested on before is forgotten.
func (s *Service) rest(
	ctx context.Context, b *row, volumes []string, brokerKey seal.Secret,
) error {
	b.Grants, b.Volumes = nil, nil
	if !b.AWSOwned {
		// Amazon MQ's published events show no name, though ListGrants does.
		granting := Who{OnBehalf: true, Principal: Principal, EventSource: eventSource,
			Unshown: []string{"name"}}
		for _, g := range brokerGrants(b.DeploymentMode) {
			out, err := s.kms.As(granting).CreateGrant(ctx, &kms.CreateGrantInput{
				KeyId: b.Key, Name: g.name, Operations: g.operations,
				GranteePrincipal: Principal, RetiringPrincipal: Principal,
			})
			if err != nil {
				return fmt.Errorf("create grant %s: %w", g.name, unfit(b.Key, err))
			}
			b.Grants = append(b.Grants, grant{Name: g.name, ID: out.GrantId})
		}
	}
	for _, id := range volumes {
		v, err := s.newVolume(ctx, b, id)
		if err != nil {
			return err
		}
		b.Volumes = append(b.Volumes, *v)
	}
	for i := range b.Volumes {
		if err := s.wrap(ctx, b, &b.Volumes[i], brokerKey); err != nil {
			return err
		}
	}
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
