package seal

import (
	"crypto/rand"
	"fmt"
)

// A wrapped key: version (1), 16-byte salt, then nonce, ciphertext and tag of
// AES-256-GCM under HKDF(kek, salt, "coffer/wrap/v1/"+purpose). The associated
// data is version, salt and the caller's aad.
const (
	wrapVersion = 1
	saltSize    = 16
	wrapHeader  = 1 + saltSize
)

// Wrap seals a small secret under a key-encrypting key for one purpose. The aad
// names what it belongs to and is needed to unwrap. The result is new memory.
func Wrap(kek []byte, purpose string, aad, secret []byte) ([]byte, error) {
	out := make([]byte, wrapHeader, wrapHeader+len(secret)+Overhead)
	out[0] = wrapVersion
	if _, err := rand.Read(out[1:]); err != nil {
		return nil, fmt.Errorf("seal: wrap: %w", err)
	}
	key, err := derive(kek, out[1:wrapHeader], "coffer/wrap/v1/"+purpose, KeySize)
	if err != nil {
		return nil, err
	}
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	full := append(append([]byte{}, out...), aad...)
	return a.Seal(out, nil, secret, full), nil
}

// Unwrap opens what Wrap made: ErrFormat for other bytes, ErrOpen for another
// key, purpose or aad.
func Unwrap(kek []byte, purpose string, aad, wrapped []byte) (Secret, error) {
	if len(wrapped) < wrapHeader+Overhead || wrapped[0] != wrapVersion {
		return nil, fmt.Errorf("wrapped key: %w", ErrFormat)
	}
	key, err := derive(kek, wrapped[1:wrapHeader], "coffer/wrap/v1/"+purpose, KeySize)
	if err != nil {
		return nil, err
	}
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	full := append(append([]byte{}, wrapped[:wrapHeader]...), aad...)
	out, err := a.Open(nil, nil, wrapped[wrapHeader:], full)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}
