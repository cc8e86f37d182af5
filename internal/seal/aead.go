package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// newAEAD makes AES-256-GCM that puts a random nonce before the ciphertext. It
// overwrites key.
func newAEAD(key []byte) (cipher.AEAD, error) {
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
