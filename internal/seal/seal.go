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
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"unsafe"
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

// ErrWiped: the key was wiped; nothing is sealed or opened with it any more.
var ErrWiped = errors.New("seal: the key was wiped")

// derive gives size bytes of HKDF-SHA256(secret, salt, info).
func derive(secret, salt []byte, info string, size int) ([]byte, error) {
	if len(secret) < KeySize {
		return nil, fmt.Errorf("seal: secret of %d bytes, want at least %d", len(secret), KeySize)
	}
	return hkdf.Key(sha256.New, secret, salt, info, size)
}

// mustBeApart panics when the n bytes of header that will be appended to dst
// would be written over the plaintext: sealing it then would lose it silently.
// What overlaps behind the header, crypto/cipher finds itself.
func mustBeApart(dst []byte, n int, plaintext []byte) {
	if cap(dst)-len(dst) >= n && overlap(dst[len(dst):len(dst)+n], plaintext) {
		panic("seal: the plaintext overlaps the spare capacity of dst")
	}
}

// overlap compares addresses only; nothing is read through them.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	first := func(s []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }
	return first(a) < first(b)+uintptr(len(b)) && first(b) < first(a)+uintptr(len(a))
}
