package kms

import (
	"cmp"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"hash"
	"slices"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// maxContext bounds an encryption context: names and values, in bytes.
const maxContext = 8192

// checkContext is for Access, before the decision: its conditions may compare every
// pair.
func checkContext(pairs map[string]string) error {
	n := 0
	for name, value := range pairs {
		if name == "" {
			return invalid("The encryption context has a pair without a name.")
		}
		n += len(name) + len(value)
	}
	if n > maxContext {
		return invalid("The encryption context has %d bytes, at most %d are allowed.", n,
			maxContext)
	}
	return nil
}

// scheme gives the algorithm of a request and refuses what the key cannot do.
func (k *key) scheme(op, algorithm string, pairs map[string]string) (string, error) {
	algorithm = cmp.Or(algorithm, symmetric)
	if err := k.purpose(op, usageEncrypt); err != nil {
		return "", err
	}
	if !slices.Contains(specs[k.Spec].crypt, algorithm) {
		return "", badUsage("Algorithm %s is incompatible with key spec %s.", algorithm, k.Spec)
	}
	if k.Spec != symmetric && len(pairs) > 0 {
		return "", invalid("An encryption context is valid for symmetric encryption keys only.")
	}
	return algorithm, nil
}

// Encrypt encrypts up to 4096 bytes.
func (s *Service) Encrypt(ctx context.Context, in *kms.EncryptInput) (
	out *kms.EncryptOutput, err error,
) {
	gateway.From(ctx).DefaultParameter("encryptionAlgorithm", symmetric)
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, anyName)
		if err != nil {
			return err
		}
		algorithm, err := k.ready(tx, use{
			"Encrypt", in.EncryptionAlgorithm, in.EncryptionContext, in.GrantTokens, in.DryRun,
		})
		if err != nil {
			return err
		}
		blob, _, err := k.encrypt(tx, algorithm, in.EncryptionContext, in.Plaintext)
		if err != nil {
			return err
		}
		s.used(ctx, tx, k, "Encrypt", in.EncryptionContext)
		out = &kms.EncryptOutput{
			CiphertextBlob: blob, EncryptionAlgorithm: algorithm, KeyId: k.arn(),
		}
		return nil
	})
	return result(out, err)
}

// result drops the answer of a failed operation.
func result[T any](out *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

// use is what a request wants a key for.
type use struct {
	op        string
	algorithm string // empty: SYMMETRIC_DEFAULT
	pairs     map[string]string
	tokens    []string
	dry       *bool
}

// ready makes every check before a key is used to encrypt or decrypt, and gives
// the algorithm.
func (k *key) ready(tx *control.Tx, u use) (string, error) {
	if err := k.usable(); err != nil {
		return "", err
	}
	algorithm, err := k.scheme(u.op, u.algorithm, u.pairs)
	if err != nil {
		return "", err
	}
	if err := checkTokens(tx, u.tokens); err != nil {
		return "", err
	}
	return algorithm, dryRun(u.dry)
}

// encrypt gives the ciphertext and the id of the material that made it.
func (k *key) encrypt(tx *control.Tx, algorithm string, pairs map[string]string, plain []byte) (
	[]byte, [32]byte, error,
) {
	m, id, err := k.current(tx)
	if err != nil {
		return nil, id, err
	}
	defer m.secret.Wipe()
	if algorithm == symmetric {
		blob, err := seal.Encrypt(m.secret, seal.KeyRef{Key: k.id(), Material: id}, pairs, plain)
		return blob, id, err
	}
	private, err := m.rsa(k)
	if err != nil {
		return nil, id, err
	}
	h := oaepHash(algorithm)
	if most := private.Size() - 2*h.Size() - 2; len(plain) > most {
		return nil, id, invalid("Algorithm %s and key spec %s cannot encrypt data larger than %d "+
			"bytes.", algorithm, k.Spec, most)
	}
	var blob []byte
	enforced(algorithm, func() {
		blob, err = rsa.EncryptOAEP(h, rand.Reader, &private.PublicKey, plain, nil)
	})
	if err != nil {
		return nil, id, fmt.Errorf("encrypt under key %s: %w", k.ID, err)
	}
	return blob, id, nil
}

// enforced runs fn under GODEBUG=fips140=only as it stands, unless the client chose
// SHA-1, which that refuses also in OAEP; AWS's FIPS endpoints take it.
func enforced(algorithm string, fn func()) {
	if algorithm == "RSAES_OAEP_SHA_1" {
		fips140.WithoutEnforcement(fn)
		return
	}
	fn()
}

func oaepHash(algorithm string) hash.Hash {
	if algorithm == "RSAES_OAEP_SHA_1" {
		return sha1.New() // what the scheme is made of; its strength does not rest on collisions
	}
	return sha256.New()
}

func (m material) rsa(k *key) (*rsa.PrivateKey, error) {
	if m.form != formPKCS8 {
		return nil, fmt.Errorf("%w: material of key %s", store.ErrDamaged, k.ID)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(m.secret)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: material of key %s", store.ErrDamaged, k.ID)
	}
	return private, nil
}

// Decrypt opens what Encrypt or GenerateDataKey made.
func (s *Service) Decrypt(ctx context.Context, in *kms.DecryptInput) (
	out *kms.DecryptOutput, err error,
) {
	gateway.From(ctx).DefaultParameter("encryptionAlgorithm", symmetric)
	err = s.view(ctx, func(tx *control.Tx) error {
		if err := noRecipient(in.Recipient, in.DryRunModifiers); err != nil {
			return err
		}
		from := sealed{in.KeyId, in.CiphertextBlob, in.EncryptionAlgorithm, in.EncryptionContext}
		k, err := from.key(ctx, tx)
		if err != nil {
			return err
		}
		algorithm, err := k.ready(tx, use{
			"Decrypt", from.algorithm, from.pairs, in.GrantTokens, in.DryRun,
		})
		if err != nil {
			return err
		}
		plain, id, err := k.decrypt(tx, algorithm, from.pairs, from.blob)
		if err != nil {
			return err
		}
		s.used(ctx, tx, k, "Decrypt", from.pairs)
		out = &kms.DecryptOutput{
			EncryptionAlgorithm: algorithm, KeyId: k.arn(), Plaintext: plain,
			KeyMaterialId: symmetricID(k, id),
		}
		return nil
	})
	return result(out, err)
}

// decrypt gives the plaintext and the id of the material that opened it.
func (k *key) decrypt(tx *control.Tx, algorithm string, pairs map[string]string, blob []byte) (
	plain []byte, id [32]byte, err error,
) {
	if algorithm != symmetric {
		return k.decryptOAEP(tx, algorithm, blob)
	}
	ref, err := seal.ParseCiphertext(blob)
	if err != nil {
		return nil, id, badCiphertext()
	}
	m, ok, err := loadMaterial(tx, k.id(), ref.Material)
	if err != nil {
		return nil, id, err
	}
	if !ok {
		return nil, id, badCiphertext()
	}
	defer m.secret.Wipe()
	plain, err = seal.Decrypt(m.secret, pairs, blob)
	if err != nil {
		return nil, id, badCiphertext()
	}
	return plain, ref.Material, nil
}

func (k *key) decryptOAEP(tx *control.Tx, algorithm string, blob []byte) (
	[]byte, [32]byte, error,
) {
	m, id, err := k.current(tx)
	if err != nil {
		return nil, id, err
	}
	defer m.secret.Wipe()
	private, err := m.rsa(k)
	if err != nil {
		return nil, id, err
	}
	var plain []byte
	enforced(algorithm, func() {
		plain, err = rsa.DecryptOAEP(oaepHash(algorithm), nil, private, blob, nil)
	})
	if err != nil {
		return nil, id, badCiphertext()
	}
	return plain, id, nil
}
