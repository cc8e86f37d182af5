package kms

import (
	"testing"

	api "coffer/internal/aws/api/kms"
)

// TestOAEP: both schemes go there and back, also where only approved cryptography runs.
func TestOAEP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.key("root", object{"KeySpec": "RSA_2048", "KeyUsage": usageEncrypt})
	for _, scheme := range rsaCrypt {
		var sealed api.EncryptOutput
		w.must("root", "Encrypt", object{
			"KeyId": id, "Plaintext": []byte("a secret"), "EncryptionAlgorithm": scheme,
		}, &sealed)
		var opened api.DecryptOutput
		w.must("root", "Decrypt", object{
			"KeyId": id, "CiphertextBlob": sealed.CiphertextBlob, "EncryptionAlgorithm": scheme,
		}, &opened)
		if string(opened.Plaintext) != "a secret" {
			t.Errorf("%s gives %q", scheme, opened.Plaintext)
		}
	}
}
