package rootkey

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// TestShares: enough of them, in any order, give the key; one that is wrong, foreign or
// given twice is told and costs nothing.
func TestShares(t *testing.T) {
	t.Parallel()
	key, made, shares, err := NewShares(5, 3)
	if err != nil {
		t.Fatal(err)
	}
	text := made.Encode(nil)
	h, _, err := ParseHeader(text)
	if err != nil || h.Kind != Shares || !bytes.Equal(h.Encode(nil), text) {
		t.Fatalf("%s is read as %+v, %v", text, h, err)
	}
	_, _, foreign, err := NewShares(5, 3)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := parseShare(shares[3])
	if err != nil {
		t.Fatal(err)
	}
	forged.y[7] ^= 1
	g := NewGathering(h)
	for i, c := range []struct {
		share string
		given int
		err   error
	}{
		{string(shares[4]), 1, nil},
		{string(shares[4]), 1, ErrAgain},
		{string(foreign[0]), 1, ErrForeign},
		{string(forged.text()), 1, ErrForeign},
		{string(shares[3][:60]), 1, ErrShare},
		{"", 1, ErrShare},
		{string(shares[3]) + "a", 1, ErrShare},
		{" " + strings.ToUpper(strings.ReplaceAll(string(shares[1]), "-", " ")) + "\r\n", 2, nil},
		{string(shares[0]), 0, nil},
	} {
		got, err := g.Add([]byte(c.share))
		if !errors.Is(err, c.err) || c.err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("share %d of the list: %v, want %v", i, err, c.err)
		}
		if err != nil && len(c.share) > 20 && strings.Contains(err.Error(), c.share[10:20]) {
			t.Errorf("the error shows the share: %v", err)
		}
		if given, needed := g.Given(); given != c.given || needed != 3 {
			t.Errorf("%d: %d of %d given, want %d of 3", i, given, needed, c.given)
		}
		if (got != nil) != (i == 8) || got != nil && !bytes.Equal(got, key) {
			t.Errorf("%d: another key", i)
		}
	}
	for _, c := range [][2]int{{1, 1}, {5, 1}, {3, 4}, {256, 3}, {0, 0}} {
		if _, _, _, err := NewShares(c[0], c[1]); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d of %d: %v", c[1], c[0], err)
		}
	}
	if _, h, all, err := NewShares(MaxShares, MaxShares); err != nil || len(all) != MaxShares ||
		len(h.Encode(h)) > maxHeader {
		t.Errorf("%d shares: %v", MaxShares, err)
	}
}

// TestShareLetters: each letter that is another is told, the last one too, of which the
// text needs but four bits.
func TestShareLetters(t *testing.T) {
	t.Parallel()
	_, _, shares, err := NewShares(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range shares[0] {
		for _, other := range []byte("abcdefghijklmnopqrstuvwxyz234567-018é ") {
			bad := bytes.Clone(shares[0])
			if bad[i] = other; other == c || c == '-' && other == ' ' {
				continue
			}
			if s, err := parseShare(bad); !errors.Is(err, ErrShare) {
				t.Fatalf("letter %d: share %d", i, s.x)
			}
		}
	}
}

// FuzzParseShare: what is read is written with the same letters.
func FuzzParseShare(f *testing.F) {
	s := &share{needed: 2, x: 1, y: make(seal.Secret, seal.KeySize)}
	f.Add([]byte(s.text()))
	f.Add([]byte("A-b 7"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseShare(text)
		if err != nil {
			return
		}
		plain := func(b []byte) string {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune("- \t\r\n", r) {
					return -1
				}
				return r
			}, strings.ToLower(string(b)))
		}
		if plain(s.text()) != plain(text) {
			t.Errorf("%q is written as another", text)
		}
	})
}
