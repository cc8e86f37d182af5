package rootkey

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"coffer/internal/seal"
)

const testWords = "correct horse battery staple"

// cheap are parameters that cost a test nothing.
func cheap() *KDF { return &KDF{Passes: 1, Memory: 64, Threads: 1, Salt: [16]byte{1, 2}} }

func testHeaders(t testing.TB) (key, words *Header) {
	t.Helper()
	var err error
	if key, err = NewHeader(bytes.Repeat([]byte{1}, 32), nil); err != nil {
		t.Fatal(err)
	}
	k := cheap()
	if words, err = NewHeader(k.derive(seal.Secret(testWords)), k); err != nil {
		t.Fatal(err)
	}
	return key, words
}

// TestHeader: what is written is read, alone and while a key is replaced, and knows its
// key, those before it and strange ones.
func TestHeader(t *testing.T) {
	t.Parallel()
	key, words := testHeaders(t)
	words.Retire(key)
	for _, text := range [][]byte{key.Encode(words), words.Encode(nil)} {
		h, next, err := ParseHeader(text)
		if err != nil || !bytes.Equal(h.Encode(next), text) {
			t.Fatalf("%s is read as %v, %v", text, h, err)
		}
		if next != nil {
			h = next
		}
		if h.Kind != Passphrase || !h.Same(words) || h.Same(key) {
			t.Errorf("%s is a %s", text, h.Kind)
		}
		for want, key := range map[error]seal.Secret{
			nil:        h.Derive(seal.Secret(testWords)),
			ErrWrong:   h.Derive(seal.Secret(testWords + ".")),
			ErrRetired: bytes.Repeat([]byte{1}, 32),
		} {
			if err := h.Check(key); !errors.Is(err, want) {
				t.Errorf("a key is %v, want %v", err, want)
			}
		}
	}
	older := "coffer-root 1 " + strings.Repeat("ab", 16) + "\n"
	h, next, err := ParseHeader([]byte(older + "crc32c " + checksum([]byte(older))))
	if err != nil || next != nil || h.Kind != Key || h.check[15] != 0xab {
		t.Errorf("version 1: %+v, %v", h, err)
	}
	for range 2 * maxRetired {
		words.Retire(key)
		key = words
	}
	if _, _, err := ParseHeader(words.Encode(nil)); err != nil || len(words.retired) != maxRetired {
		t.Errorf("%d keys before: %v", len(words.retired), err)
	}
}

// TestHeaderDamage: each bit that flips and each end that is cut off is told.
func TestHeaderDamage(t *testing.T) {
	t.Parallel()
	key, words := testHeaders(t)
	text := key.Encode(words)
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1 << (i % 8)
		for _, bad := range [][]byte{bad, text[:i]} {
			if h, _, err := ParseHeader(bad); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%q is read as %+v, %v", bad, h, err)
			}
		}
	}
	start, digits, _ := strings.Cut(plain(key), "check ")
	for _, body := range []string{
		"", "coffer-root 3\n", "coffer-root 2\n", "coffer-root 2\ncheck 00\n",
		"coffer-root 1 00\n", "coffer-root 2\nnext\n",
		strings.Replace(plain(words), "argon2id 1 ", "argon2id 65 ", 1),
		strings.Replace(plain(words), " 64 ", " 99999999 ", 1),
		strings.Replace(plain(words), " 64 ", " 1 ", 1),
		strings.Replace(plain(words), "argon2id 1", "argon2id +1", 1),
		plain(words) + "other\n", plain(words) + "next\n" + plain(words),
		plain(words) + "retired 00\n",
		start + "check " + strings.ToUpper(digits),
	} {
		text := body + "crc32c " + checksum([]byte(body))
		if h, _, err := ParseHeader([]byte(text)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q is read as %+v, %v", body, h, err)
		}
	}
}

// plain is a header without its checksum.
func plain(h *Header) string { return string(h.append([]byte(magic + "2\n"))) }

// FuzzParseHeader: any bytes with a right checksum are damage, or written as they were.
func FuzzParseHeader(f *testing.F) {
	key, words := testHeaders(f)
	words.Retire(key)
	for _, text := range [][]byte{key.Encode(words), words.Encode(nil), []byte(magic + "1 00\n")} {
		body, _, _ := bytes.Cut(text, []byte("crc32c "))
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text := append(append(bytes.Clone(body), "crc32c "...), checksum(body)...)
		h, next, err := ParseHeader(text)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			return
		}
		if !bytes.HasPrefix(text, []byte(magic+"1 ")) && !bytes.Equal(h.Encode(next), text) {
			t.Errorf("%q is written as %q", text, h.Encode(next))
		}
	})
}

// TestPassphrase: the words and the salt make the key, and short words are refused.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	key, h, err := NewPassphrase(seal.Secret(testWords))
	if err != nil {
		t.Fatal(err)
	}
	if h.KDF.Memory < 64<<10 || h.KDF.Passes < 3 {
		t.Errorf("%+v is less than RFC 9106 recommends", h.KDF)
	}
	back, _, err := ParseHeader(h.Encode(nil))
	if err != nil || back.Check(back.Derive(seal.Secret(testWords))) != nil ||
		back.Check(key) != nil {
		t.Errorf("what was stored gives another key: %v", err)
	}
	if bytes.Contains(h.Encode(nil), []byte(testWords[:7])) {
		t.Error("the header shows the words")
	}
	if _, _, err := NewPassphrase(seal.Secret("elevenbytes")); err == nil {
		t.Error("eleven bytes are enough")
	}
}
