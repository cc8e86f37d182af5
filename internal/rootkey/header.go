package rootkey

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"coffer/internal/seal"
)

// Errors of headers and keys.
var (
	// ErrDamaged: a header is not what was written.
	ErrDamaged = errors.New("rootkey: the header is damaged")
	// ErrWrong: the key is not the header's.
	ErrWrong = errors.New("rootkey: not the key of this header")
	// ErrRetired: the key was the header's until it was replaced.
	ErrRetired = errors.New("rootkey: the key was replaced")
)

const (
	checkLabel = "node/root-check"
	magic      = "coffer-root "
	maxHeader  = 64 << 10 // bytes of its text
	maxRetired = 8
)

type check [seal.MACSize]byte

// Header says what a root key is made of, and knows the key without telling it.
type Header struct {
	Kind    Kind
	KDF     *KDF    // of a passphrase
	pieces  *pieces // of shares
	check   check
	retired []check // of the keys before, the newest first
}

// NewHeader is that of a key; the KDF is that by which it was derived, or nil.
func NewHeader(key seal.Secret, kdf *KDF) (*Header, error) {
	h := &Header{Kind: Key, KDF: kdf}
	if kdf != nil {
		h.Kind = Passphrase
	}
	var err error
	h.check, err = checkOf(key)
	return h, err
}

func checkOf(key seal.Secret) (check, error) {
	m, err := seal.MAC(key, checkLabel)
	if err != nil {
		return check{}, err
	}
	return check(m), nil
}

// Check tells whether a key is the header's: nil, ErrWrong or ErrRetired.
func (h *Header) Check(key seal.Secret) error {
	c, err := checkOf(key)
	switch {
	case err != nil:
		return err
	case hmac.Equal(c[:], h.check[:]):
		return nil
	case slices.Contains(h.retired, c):
		return ErrRetired
	}
	return ErrWrong
}

// Derive gives the key of a passphrase, unchecked.
func (h *Header) Derive(words seal.Secret) seal.Secret { return h.KDF.derive(words) }

// Retire notes that before was replaced by h.
func (h *Header) Retire(before *Header) {
	all := append([]check{before.check}, before.retired...)
	h.retired = all[:min(len(all), maxRetired)]
}

// Same reports whether both are of one key.
func (h *Header) Same(other *Header) bool {
	return other != nil && h.check == other.check
}

// Encode writes the header, with that of the key that is to follow, or nil.
func (h *Header) Encode(next *Header) []byte {
	body := []byte(magic + "2\n")
	body = h.append(body)
	if next != nil {
		body = next.append(append(body, "next\n"...))
	}
	return append(append(body, "crc32c "...), checksum(body)...)
}

func (h *Header) append(b []byte) []byte {
	b = fmt.Appendf(b, "check %x\n", h.check)
	if h.KDF != nil {
		b = h.KDF.append(b)
	}
	if p := h.pieces; p != nil {
		b = fmt.Appendf(b, "shares %d %d\n", p.needed, len(p.digest))
		for _, c := range p.digest {
			b = fmt.Appendf(b, "share %x\n", c)
		}
	}
	for _, c := range h.retired {
		b = fmt.Appendf(b, "retired %x\n", c)
	}
	return b
}

func checksum(body []byte) string {
	return fmt.Sprintf("%08x\n", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

// ParseHeader reads what Encode wrote, or a program before it; next is nil unless a key
// is being replaced. The error is ErrDamaged.
func ParseHeader(text []byte) (h, next *Header, err error) {
	at := strings.LastIndex(string(text), "crc32c ")
	if at < 0 || len(text) > maxHeader || string(text[at+len("crc32c "):]) != checksum(text[:at]) {
		return nil, nil, ErrDamaged
	}
	body, ok := strings.CutPrefix(string(text[:at]), magic)
	if !ok {
		return nil, nil, ErrDamaged
	}
	if line, ok := strings.CutPrefix(body, "1 "); ok {
		h = &Header{Kind: Key}
		if !parseCheck(strings.TrimSuffix(line, "\n"), &h.check) {
			return nil, nil, ErrDamaged
		}
		return h, nil, nil
	}
	body, ok = strings.CutPrefix(body, "2\n")
	first, second, two := strings.Cut(body, "next\n")
	if h = parse(first); h == nil || !ok {
		return nil, nil, ErrDamaged
	}
	if two {
		if next = parse(second); next == nil {
			return nil, nil, ErrDamaged
		}
	}
	return h, next, nil
}

// parse gives nil for what append does not write.
func parse(body string) *Header {
	h := &Header{Kind: Key}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	word, ok := strings.CutPrefix(lines[0], "check ")
	if !ok || !parseCheck(word, &h.check) {
		return nil
	}
	for _, line := range lines[1:] {
		if !h.line(line) {
			return nil
		}
	}
	if string(h.append(nil)) != body || h.KDF != nil && h.pieces != nil {
		return nil
	}
	return h
}

// line reads a line behind the first.
func (h *Header) line(line string) (ok bool) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "argon2id":
		h.Kind = Passphrase
		h.KDF, ok = parseKDF(line)
	case "shares":
		h.Kind, h.pieces = Shares, &pieces{}
		var n int
		_, err := fmt.Sscanf(rest, "%d %d", &h.pieces.needed, &n)
		ok = err == nil && n <= MaxShares && h.pieces.needed >= 2 && h.pieces.needed <= n
	case "share":
		var c check
		if ok = h.pieces != nil && parseCheck(rest, &c); ok {
			h.pieces.digest = append(h.pieces.digest, c)
		}
	case "retired":
		var c check
		ok = parseCheck(rest, &c) && len(h.retired) < maxRetired
		h.retired = append(h.retired, c)
	}
	return ok
}

func parseCheck(digits string, c *check) bool {
	if len(digits) != 2*len(c) {
		return false
	}
	_, err := hex.Decode(c[:], []byte(digits))
	return err == nil
}

// NewKey makes a random key and its header.
func NewKey() (seal.Secret, *Header, error) {
	key := make(seal.Secret, seal.KeySize)
	rand.Read(key) // never fails
	h, err := NewHeader(key, nil)
	return key, h, err
}

// NewPassphrase makes the key of words, which are checked, and its header.
func NewPassphrase(words seal.Secret) (seal.Secret, *Header, error) {
	if err := checkWords(words); err != nil {
		return nil, nil, err
	}
	kdf := NewKDF()
	key := kdf.derive(words)
	h, err := NewHeader(key, kdf)
	return key, h, err
}
