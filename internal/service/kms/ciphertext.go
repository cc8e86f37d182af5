package kms

import (
	"context"
	"encoding/hex"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/seal"
)

// sealed is a ciphertext with what a request says about it.
type sealed struct {
	keyName   string // empty: the ciphertext names its key
	blob      []byte
	algorithm string
	pairs     map[string]string
}

// key finds the key that made the ciphertext. A key that the request names must
// be that one; without a name only symmetric ciphertexts can be opened.
func (c *sealed) key(ctx context.Context, tx *control.Tx) (*key, error) {
	if len(c.blob) == 0 {
		return nil, invalid("CiphertextBlob is required.")
	}
	ref, perr := seal.ParseCiphertext(c.blob)
	if c.keyName != "" {
		k, err := resolve(ctx, tx, c.keyName, anyName)
		switch {
		case err != nil:
			return nil, err
		case perr == nil && k.id() != ref.Key && isSymmetric(c.algorithm):
			return nil, incorrectKey()
		}
		return k, nil
	}
	if !isSymmetric(c.algorithm) {
		return nil, invalid("KeyId is required to decrypt with an asymmetric KMS key.")
	}
	if perr != nil {
		return nil, badCiphertext()
	}
	k, err := load(tx, ref.Key)
	if err != nil {
		return nil, err
	}
	if k == nil || k.Region != gateway.From(ctx).Region {
		return nil, unknownCiphertext()
	}
	return k, nil
}

func isSymmetric(algorithm string) bool { return algorithm == "" || algorithm == symmetric }

// noRecipient refuses members that nothing here could honour.
func noRecipient(r *kms.RecipientInfo, modifiers []string) error {
	if r != nil {
		return unsupported("Recipient is not implemented by Coffer.")
	}
	if len(modifiers) > 0 {
		return unsupported("DryRunModifiers is not implemented by Coffer.")
	}
	return nil
}

// ReEncrypt moves a ciphertext to another key or context; its plaintext does
// not leave.
func (s *Service) ReEncrypt(ctx context.Context, in *kms.ReEncryptInput) (
	out *kms.ReEncryptOutput, err error,
) {
	for _, side := range []string{"source", "destination"} {
		gateway.From(ctx).DefaultParameter(side+"EncryptionAlgorithm", symmetric)
	}
	err = s.view(ctx, func(tx *control.Tx) error {
		if err := noRecipient(nil, in.DryRunModifiers); err != nil {
			return err
		}
		from := source(in)
		k, err := from.key(ctx, tx)
		if err != nil {
			return err
		}
		to, err := resolve(ctx, tx, in.DestinationKeyId, anyName)
		if err != nil {
			return err
		}
		old, err := k.ready(tx, use{
			"ReEncryptFrom", from.algorithm, from.pairs, in.GrantTokens, nil,
		})
		if err != nil {
			return err
		}
		pairs := in.DestinationEncryptionContext
		algorithm, err := to.ready(tx, use{
			"ReEncryptTo", in.DestinationEncryptionAlgorithm, pairs, nil, in.DryRun,
		})
		if err != nil {
			return err
		}
		plain, oldID, err := k.decrypt(tx, old, from.pairs, from.blob)
		if err != nil {
			return err
		}
		defer clear(plain)
		blob, newID, err := to.encrypt(tx, algorithm, pairs, plain)
		if err != nil {
			return err
		}
		s.used(ctx, tx, k, "ReEncrypt", from.pairs)
		s.used(ctx, tx, to, "ReEncrypt", pairs)
		out = &kms.ReEncryptOutput{
			CiphertextBlob: blob, KeyId: to.arn(), SourceKeyId: k.arn(),
			SourceEncryptionAlgorithm: old, DestinationEncryptionAlgorithm: algorithm,
			SourceKeyMaterialId:      symmetricID(k, oldID),
			DestinationKeyMaterialId: symmetricID(to, newID),
		}
		return nil
	})
	return result(out, err)
}

func source(in *kms.ReEncryptInput) *sealed {
	return &sealed{
		in.SourceKeyId, in.CiphertextBlob, in.SourceEncryptionAlgorithm, in.SourceEncryptionContext,
	}
}

// symmetricID gives the material id that answers show; only symmetric keys
// have one there.
func symmetricID(k *key, id [32]byte) string {
	if k.Spec != symmetric {
		return ""
	}
	return hex.EncodeToString(id[:])
}
