package seal

import (
	"bytes"
	"errors"
	"testing"
)

func TestEncryptionContext(t *testing.T) {
	t.Parallel()
	material, ref := testSecret(1), KeyRef{Key: [16]byte{1}, Material: [32]byte{2}}
	context := map[string]string{"a": "1", "b": "2"}
	ct, err := Encrypt(material, ref, context, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseCiphertext(ct); err != nil || got != ref {
		t.Errorf("key reference %v, %v", got, err)
	}
	out, err := Decrypt(material, map[string]string{"b": "2", "a": "1"}, ct)
	if err != nil || string(out) != "text" {
		t.Errorf("decrypt: %q, %v", []byte(out), err)
	}
	for _, bad := range []map[string]string{
		nil, {}, {"a": "1"}, {"a": "1", "b": "2", "c": ""}, {"a": "2", "b": "1"},
		{"a": "1", "B": "2"},
		{"a": "1\x00\x00\x00\x01b\x00\x00\x00\x012"}, {"": "", "a": "1", "b": "2"},
	} {
		if _, err := Decrypt(material, bad, ct); !errors.Is(err, ErrOpen) {
			t.Errorf("context %q: %v", bad, err)
		}
	}
	empty, _ := Encrypt(material, ref, nil, []byte("text"))
	if _, err := Decrypt(material, map[string]string{}, empty); err != nil {
		t.Errorf("no context and an empty one differ: %v", err)
	}
}

// TestCommitment: material that a tenant chose must not open another's blob,
// and the commitment alone says so, before the AEAD is asked.
func TestCommitment(t *testing.T) {
	t.Parallel()
	a, err := Encrypt(testSecret(1), KeyRef{}, nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Encrypt(testSecret(2), KeyRef{}, nil, []byte("text"))
	if _, err := Decrypt(testSecret(2), nil, a); !errors.Is(err, ErrOpen) {
		t.Errorf("other material: %v", err)
	}
	mixed := append(bytes.Clone(a[:kmsCommitAt]), b[kmsCommitAt:kmsHeader]...)
	mixed = append(mixed, a[kmsHeader:]...)
	for _, material := range []Secret{testSecret(1), testSecret(2)} {
		if _, err := Decrypt(material, nil, mixed); !errors.Is(err, ErrOpen) {
			t.Errorf("commitment of another blob: %v", err)
		}
	}
	// A blob that opens under the key and yet commits to another one.
	forged := append(bytes.Clone(a[:kmsCommitAt]), b[kmsCommitAt:kmsHeader]...)
	key, _, err := kmsKey(testSecret(1), forged)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := newAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	forged = aead.Seal(forged, nil, []byte("text"), bytes.Clone(forged))
	if out, err := Decrypt(testSecret(1), nil, forged); !errors.Is(err, ErrOpen) {
		t.Errorf("a forged commitment: %q, %v", []byte(out), err)
	}
	again, _ := Encrypt(testSecret(1), KeyRef{}, nil, []byte("text"))
	if bytes.Equal(a[kmsSaltAt:kmsHeader], again[kmsSaltAt:kmsHeader]) {
		t.Error("two ciphertexts share salt and commitment")
	}
}

func TestWrapPurposes(t *testing.T) {
	t.Parallel()
	secret := testSecret(9)
	w, err := Wrap(testSecret(1), "use", []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Unwrap(testSecret(1), "use", []byte("place"), w)
	if err != nil || !bytes.Equal(out, secret) {
		t.Fatalf("unwrap: %v", err)
	}
	for _, c := range []struct {
		key          byte
		purpose, aad string
	}{{2, "use", "place"}, {1, "used", "place"}, {1, "use", "plac"}, {1, "us", "eplace"}} {
		_, err := Unwrap(testSecret(c.key), c.purpose, []byte(c.aad), w)
		if !errors.Is(err, ErrOpen) {
			t.Errorf("key %d, purpose %q, aad %q: %v", c.key, c.purpose, c.aad, err)
		}
	}
}
