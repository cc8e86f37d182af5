package kms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// Forms of stored material: the byte after the version.
const (
	formSecret = 1 // symmetric and HMAC keys: the bytes
	formPKCS8  = 2 // asymmetric keys: the private key
)

// material is a row of control.TableMaterial before it has an id. It is binary
// so that no codec copies the secret.
type material struct {
	form   byte
	secret seal.Secret
}

// makeMaterial makes a new key of a spec. RSA takes up to seconds.
func makeMaterial(name string) (material, error) {
	sp := specs[name]
	switch name {
	case "RSA_2048", "RSA_3072", "RSA_4096":
		return pkcs8(rsa.GenerateKey(rand.Reader, sp.size))
	case "ECC_NIST_P256":
		return pkcs8(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case "ECC_NIST_P384":
		return pkcs8(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "ECC_NIST_P521":
		return pkcs8(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	case "ECC_NIST_EDWARDS25519":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return pkcs8(private, err)
	}
	m := material{formSecret, make(seal.Secret, sp.size)}
	if _, err := rand.Read(m.secret); err != nil {
		return m, fmt.Errorf("make material: %w", err)
	}
	return m, nil
}

func pkcs8[K crypto.PrivateKey](private K, err error) (material, error) {
	if err != nil {
		return material{}, fmt.Errorf("make key pair: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return material{}, fmt.Errorf("make key pair: %w", err)
	}
	return material{formPKCS8, der}, nil
}

func materialRow(key keyID, id [32]byte) []byte {
	return append(key[:], id[:]...)
}

// store saves the material of a key under a new id, which it gives in hex.
func (m material) store(tx *control.Tx, key keyID) (string, error) {
	var id [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("store material: %w", err)
	}
	v := append([]byte{rowVersion, m.form}, m.secret...)
	defer clear(v)
	tx.Put(control.TableMaterial, materialRow(key, id), v)
	return hex.EncodeToString(id[:]), nil
}

// loadMaterial reads one version of a key's material; ok is false when the key
// has no such version. The caller wipes the secret.
func loadMaterial(tx *control.Tx, key keyID, id [32]byte) (m material, ok bool, err error) {
	v, ok, err := tx.Get(control.TableMaterial, materialRow(key, id))
	if err != nil || !ok {
		return m, false, err
	}
	if len(v) < 2 || v[0] != rowVersion {
		return m, false, fmt.Errorf("%w: material %x", store.ErrDamaged, id)
	}
	return material{v[1], v[2:]}, true, nil
}

// current reads the material that the key encrypts with.
func (k *key) current(tx *control.Tx) (m material, id [32]byte, err error) {
	if id, err = k.materialID(); err != nil {
		return m, id, err
	}
	m, ok, err := loadMaterial(tx, k.id(), id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: key %s has no material", store.ErrDamaged, k.ID)
	}
	return m, id, err
}

// preparedKey carries material made before the unit of work.
type preparedKey struct{}

type prepared struct {
	spec string
	material
}

// Prepare counts the request and makes an asymmetric key before CreateKey's unit
// of work begins: within it the search for primes would hold all other writers up.
// One is made at a time, and for none who may not make keys.
func (s *Service) Prepare(ctx context.Context, op *wire.Op, in any) (context.Context, error) {
	if call := gateway.Within(ctx); call != nil {
		if err := s.rates.admit(call, op.Name); err != nil {
			return ctx, err
		}
	}
	create, ok := in.(*kms.CreateKeyInput)
	if !ok {
		return ctx, nil
	}
	name, _, err := chooseSpec(create.KeySpec, create.CustomerMasterKeySpec, create.KeyUsage)
	if err != nil || specs[name].size != 0 && len(specs[name].sign) == 0 {
		return ctx, nil // CreateKey says what is wrong, after the authorization
	}
	if call := gateway.Within(ctx); call != nil && call.Permitted(ctx) != nil {
		return ctx, nil // likewise
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return ctx, fmt.Errorf("wait to make a key pair: %w", ctx.Err())
	}
	m, err := makeMaterial(name)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, preparedKey{}, &prepared{name, m}), nil
}

// materialFor takes what Prepare made, once, or makes it.
func materialFor(ctx context.Context, name string) (material, error) {
	if p, ok := ctx.Value(preparedKey{}).(*prepared); ok && p.spec == name && p.secret != nil {
		m := p.material
		p.secret = nil
		return m, nil
	}
	return makeMaterial(name)
}
