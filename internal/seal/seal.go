// Package seal holds the formats in which Coffer encrypts and the AEAD that
// fills them: message records, boxes for control state and envelopes, wrapped
// keys, and the ciphertext of the KMS.
//
// Guarantees: every format is authenticated with its place (store key, domain,
// header) as associated data, so that a copied, swapped or altered value fails
// to open; nonces are random; a subkey ends long before random nonces could
// repeat. It stores nothing, makes no policy decision and performs no I/O. What
// it cannot do is wipe a key for certain: Go may have copied it.
//
// All primitives run under GODEBUG=fips140=only: HKDF-SHA256, HMAC-SHA256 and
// AES-256-GCM with random nonces (NIST SP 800-38D, section 8.2.2).
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// Sizes in bytes.
const (
	KeySize  = 32
	Overhead = 12 + 16 // nonce and tag of AES-GCM
)

// ErrOpen: the value was not sealed by this key for this place, or was altered.
// It says no more, on purpose.
var ErrOpen = errors.New("seal: message authentication failed")

// ErrFormat: the bytes are not of the format, before any key was tried.
var ErrFormat = errors.New("seal: malformed")

// Secret is key material that never prints itself.
type Secret []byte

// String redacts.
func (Secret) String() string { return "[secret]" }

// GoString redacts.
func (Secret) GoString() string { return "[secret]" }

// LogValue redacts.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalJSON redacts.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// Wipe overwrites the bytes; copies that others made stay.
func (s Secret) Wipe() { clear(s) }

// derive gives size bytes of HKDF-SHA256(secret, salt, info).
func derive(secret, salt []byte, info string, size int) ([]byte, error) {
	if len(secret) < KeySize {
		return nil, fmt.Errorf("seal: secret of %d bytes, want at least %d", len(secret), KeySize)
	}
	return hkdf.Key(sha256.New, secret, salt, info, size)
}

// newAEAD makes AES-256-GCM that puts a random nonce before the ciphertext.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// MAC gives a 16-byte keyed digest of parts under label: an index of names
// that shows no name. Parts are length-prefixed, so none can run into another.
func MAC(secret []byte, label string, parts ...string) ([]byte, error) {
	key, err := derive(secret, nil, "coffer/mac/v1/"+label, KeySize)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)[:16], nil
}
