package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
)

// The ciphertext of a symmetric KMS key: magic "CKMS" (4), version (1), suite
// (1), key id (16), material id (32), salt (16), commitment (32), then nonce,
// ciphertext and tag. Key and commitment are HKDF-SHA256(material, salt,
// "kms/enc/v1" + key id); the associated data is the header and the canonical
// encryption context.
const (
	kmsMagic      = "CKMS"
	kmsVersion    = 1
	kmsKeyAt      = 6
	kmsMaterialAt = kmsKeyAt + 16
	kmsSaltAt     = kmsMaterialAt + 32
	kmsCommitAt   = kmsSaltAt + saltSize
	kmsHeader     = kmsCommitAt + 32
)

// CiphertextOverhead is what Encrypt adds to a plaintext, in bytes.
const CiphertextOverhead = kmsHeader + Overhead

// KeyRef names the key and the version of its material in a ciphertext.
type KeyRef struct {
	Key      [16]byte // the key id's UUID
	Material [32]byte
}

// Encrypt seals plaintext under key material (KeySize bytes).
func Encrypt(material []byte, ref KeyRef, context map[string]string, plaintext []byte) (
	[]byte, error,
) {
	out := make([]byte, 0, CiphertextOverhead+len(plaintext))
	out = append(append(out, kmsMagic...), kmsVersion, suiteAES256)
	out = append(append(out, ref.Key[:]...), ref.Material[:]...)
	out = out[:kmsCommitAt]
	if _, err := rand.Read(out[kmsSaltAt:]); err != nil {
		return nil, fmt.Errorf("seal: encrypt: %w", err)
	}
	key, commitment, err := kmsKey(material, out)
	if err != nil {
		return nil, err
	}
	out = append(out, commitment...)
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(out, nil, plaintext, appendContext(slices.Clone(out), context)), nil
}

// ParseCiphertext reads which key a ciphertext needs.
func ParseCiphertext(ct []byte) (KeyRef, error) {
	if len(ct) < CiphertextOverhead || string(ct[:4]) != kmsMagic || ct[4] != kmsVersion ||
		ct[5] != suiteAES256 {
		return KeyRef{}, fmt.Errorf("kms ciphertext: %w", ErrFormat)
	}
	var ref KeyRef
	copy(ref.Key[:], ct[kmsKeyAt:])
	copy(ref.Material[:], ct[kmsMaterialAt:])
	return ref, nil
}

// Decrypt opens what Encrypt made with the same material and context. The
// commitment is compared first, in constant time: without it, one blob could
// be made to open under two imported keys.
func Decrypt(material []byte, context map[string]string, ct []byte) (Secret, error) {
	if _, err := ParseCiphertext(ct); err != nil {
		return nil, err
	}
	key, commitment, err := kmsKey(material, ct)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(commitment, ct[kmsCommitAt:kmsHeader]) != 1 {
		return nil, ErrOpen
	}
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	aad := appendContext(slices.Clone(ct[:kmsHeader]), context)
	out, err := a.Open(nil, nil, ct[kmsHeader:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

func kmsKey(material, header []byte) (key, commitment []byte, err error) {
	info := "kms/enc/v1" + string(header[kmsKeyAt:kmsMaterialAt])
	k, err := derive(material, header[kmsSaltAt:kmsCommitAt], info, 2*KeySize)
	if err != nil {
		return nil, nil, err
	}
	return k[:KeySize], k[KeySize:], nil
}

// appendContext appends the canonical form: pairs in the order of names, every
// name and value with a 32-bit length.
func appendContext(dst []byte, context map[string]string) []byte {
	names := make([]string, 0, len(context))
	for n := range context {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		for _, s := range [2]string{n, context[n]} {
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
			dst = append(dst, s...)
		}
	}
	return dst
}
