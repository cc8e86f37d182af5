package kms

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"coffer/internal/aws/api/kms"
	"coffer/internal/control"
	"coffer/internal/seal"
)

// dataKeyRequest is what both ways to make a data key are asked.
type dataKeyRequest struct {
	op, keyName, spec string
	size              *int32
	pairs             map[string]string
	tokens            []string
	dry               *bool
}

// dataKey is a data key in clear and under its KMS key.
type dataKey struct {
	plain    seal.Secret
	blob     []byte
	arn      string
	material string
}

// bytes gives the length asked for.
func (r *dataKeyRequest) bytes() (int, error) {
	if (r.spec == "") == (r.size == nil) {
		return 0, invalid("Please specify either number of bytes or key spec.")
	}
	switch r.spec {
	case "AES_256":
		return 32, nil
	case "AES_128":
		return 16, nil
	}
	return int(*r.size), nil // between 1 and 1024 by the model
}

func (s *Service) makeDataKey(ctx context.Context, r *dataKeyRequest) (d dataKey, err error) {
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, r.keyName, anyName)
		if err != nil {
			return err
		}
		n, err := r.bytes()
		if err == nil {
			err = k.usable()
		}
		if err == nil {
			err = k.purpose(r.op, usageEncrypt)
		}
		if err == nil && k.Spec != symmetric {
			err = badUsage("%s key spec is %s which is not valid for %s.", k.arn(), k.Spec, r.op)
		}
		if err == nil {
			_, err = k.ready(tx, use{r.op, symmetric, r.pairs, r.tokens, r.dry})
		}
		if err != nil {
			return err
		}
		d.plain, d.arn = make(seal.Secret, n), k.arn()
		if _, err := rand.Read(d.plain); err != nil {
			return fmt.Errorf("make data key: %w", err)
		}
		blob, id, err := k.encrypt(tx, symmetric, r.pairs, d.plain)
		if err != nil {
			return err
		}
		s.used(ctx, tx, k, r.op, r.pairs)
		d.blob, d.material = blob, hex.EncodeToString(id[:])
		return nil
	})
	return d, err
}

// GenerateDataKey makes a data key anew and gives it in clear and encrypted.
func (s *Service) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput) (
	*kms.GenerateDataKeyOutput, error,
) {
	if err := noRecipient(in.Recipient, nil); err != nil {
		return nil, err
	}
	d, err := s.makeDataKey(ctx, &dataKeyRequest{
		"GenerateDataKey", in.KeyId, in.KeySpec, in.NumberOfBytes, in.EncryptionContext,
		in.GrantTokens, in.DryRun,
	})
	return result(&kms.GenerateDataKeyOutput{
		CiphertextBlob: d.blob, Plaintext: d.plain, KeyId: d.arn, KeyMaterialId: d.material,
	}, err)
}

// GenerateDataKeyWithoutPlaintext makes a data key that only Decrypt shows.
func (s *Service) GenerateDataKeyWithoutPlaintext(
	ctx context.Context, in *kms.GenerateDataKeyWithoutPlaintextInput,
) (*kms.GenerateDataKeyWithoutPlaintextOutput, error) {
	d, err := s.makeDataKey(ctx, &dataKeyRequest{
		"GenerateDataKeyWithoutPlaintext", in.KeyId, in.KeySpec, in.NumberOfBytes,
		in.EncryptionContext, in.GrantTokens, in.DryRun,
	})
	defer d.plain.Wipe()
	return result(&kms.GenerateDataKeyWithoutPlaintextOutput{
		CiphertextBlob: d.blob, KeyId: d.arn, KeyMaterialId: d.material,
	}, err)
}

// GenerateRandom gives random bytes of the operating system's generator.
func (s *Service) GenerateRandom(_ context.Context, in *kms.GenerateRandomInput) (
	*kms.GenerateRandomOutput, error,
) {
	if err := noRecipient(in.Recipient, nil); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != "" {
		return nil, unsupported("Custom key stores are not implemented by Coffer.")
	}
	if in.NumberOfBytes == nil {
		return nil, invalid("NumberOfBytes is required.")
	}
	b := make([]byte, *in.NumberOfBytes)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("generate random bytes: %w", err)
	}
	return &kms.GenerateRandomOutput{Plaintext: b}, nil
}
