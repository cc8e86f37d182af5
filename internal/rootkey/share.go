package rootkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Errors of shares; none of them changes what was gathered.
var (
	// ErrShare: the text is no share; a letter is wrong, missing or too many.
	ErrShare = errors.New("rootkey: not a share")
	// ErrForeign: a share, but of another root key.
	ErrForeign = errors.New("rootkey: a share of another root key")
	// ErrAgain: the share was given before.
	ErrAgain = errors.New("rootkey: the share was given before")
)

// MaxShares is how many there can be.
const MaxShares = 255

// A share is written as groups of five letters a-z and digits 2-7: version (1), the first
// bytes of the header's check (4), how many are needed (1), x (1), y (32), and the CRC-32C
// of all before (4).
const (
	shareVersion = 1
	shareSet     = 4
	shareFixed   = 1 + shareSet + 1 + 1
	shareSize    = shareFixed + seal.KeySize + 4
	shareGroup   = 5
	shareLabel   = "node/root-share"
)

// letters32 is RFC 4648's base32 in small letters, without padding.
func letters32() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// share is a point of the root key's polynomial.
type share struct {
	set    [shareSet]byte
	needed byte
	x      byte
	y      seal.Secret
}

// pieces are what a header knows of the shares of its key: a digest of each, by which a
// wrong one is told at once. A share is as random as a key, so a digest tells nothing.
type pieces struct {
	needed int
	digest []check // by x-1
}

// NewShares makes a random key that any k of n shares give, its header, and the shares as
// people keep them, a line each. They are shown once and kept nowhere.
func NewShares(n, k int) (key seal.Secret, h *Header, shares []seal.Secret, err error) {
	if n < 2 || n > MaxShares || k < 2 || k > n {
		return nil, nil, nil, fault.New(fault.Invalid, "%d of %d shares: at least 2 of them "+
			"have to be needed, and at most %d can be", k, n, MaxShares)
	}
	key = make(seal.Secret, seal.KeySize)
	rand.Read(key) // never fails
	h = &Header{Kind: Shares, pieces: &pieces{needed: k}}
	if h.check, err = checkOf(key); err != nil {
		return nil, nil, nil, err
	}
	for i, y := range split(key, n, k) {
		s := &share{set: [shareSet]byte(h.check[:]), needed: byte(k), x: byte(i + 1), y: y}
		digest, err := s.digest()
		if err != nil {
			return nil, nil, nil, err
		}
		h.pieces.digest = append(h.pieces.digest, digest)
		shares = append(shares, s.text())
	}
	return key, h, shares, nil
}

func (s *share) digest() (check, error) {
	m, err := seal.MAC(s.y, shareLabel, string([]byte{s.x}))
	if err != nil {
		return check{}, err
	}
	return check(m), nil
}

// text writes a share.
func (s *share) text() seal.Secret {
	b := append(make(seal.Secret, 0, shareSize), shareVersion)
	b = append(append(b, s.set[:]...), s.needed, s.x)
	b = append(b, s.y...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	defer b.Wipe()
	letters := make(seal.Secret, letters32().EncodedLen(len(b)))
	defer letters.Wipe()
	letters32().Encode(letters, b)
	out := make(seal.Secret, 0, 2*len(letters))
	for i, c := range letters {
		if i > 0 && i%shareGroup == 0 {
			out = append(out, '-')
		}
		out = append(out, c)
	}
	return out
}

// parseShare reads a share, whatever hyphens, white space and capitals are in it.
func parseShare(text []byte) (*share, error) {
	letters := make(seal.Secret, 0, 2*shareSize)
	defer func() { letters[:cap(letters)].Wipe() }()
	for _, c := range text {
		switch {
		case c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if len(letters) == cap(letters) {
			return nil, ErrShare
		}
		letters = append(letters, c)
	}
	b := make(seal.Secret, shareSize+shareGroup)
	defer b.Wipe()
	if len(letters) != letters32().EncodedLen(shareSize) {
		return nil, ErrShare
	}
	n, err := letters32().Decode(b, letters)
	end := shareSize - 4
	if err != nil || n != shareSize || b[0] != shareVersion ||
		crc32.Checksum(b[:end], crc32.MakeTable(crc32.Castagnoli)) !=
			binary.BigEndian.Uint32(b[end:]) {
		return nil, ErrShare
	}
	// The last letter has bits that stand for nothing; the decoder passes over them.
	again := make(seal.Secret, len(letters))
	defer again.Wipe()
	if letters32().Encode(again, b[:n]); !hmac.Equal(again, letters) {
		return nil, ErrShare
	}
	s := &share{
		set: [shareSet]byte(b[1:]), needed: b[1+shareSet], x: b[2+shareSet],
		y: append(seal.Secret{}, b[shareFixed:end]...),
	}
	if s.x == 0 || s.needed < 2 {
		return nil, ErrShare
	}
	return s, nil
}

// Gathering takes the shares of a key, one after another. It is for one goroutine.
type Gathering struct {
	header *Header
	shares []*share
}

// NewGathering begins to take the shares of h, whose kind is [Shares].
func NewGathering(h *Header) *Gathering { return &Gathering{header: h} }

// Given tells how many shares were given, and how many are needed.
func (g *Gathering) Given() (given, needed int) { return len(g.shares), g.header.pieces.needed }

// Add takes a share. The key is nil until there are enough. The error, for people and of
// the kind fault.Invalid, tells what is wrong with the share: [ErrShare], [ErrForeign] or
// [ErrAgain].
func (g *Gathering) Add(text []byte) (key seal.Secret, err error) {
	s, err := parseShare(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err,
			"this is no share: a letter is wrong, missing or too many; nothing was changed")
	}
	if err := g.fits(s); err != nil {
		s.y.Wipe()
		return nil, err
	}
	g.shares = append(g.shares, s)
	if len(g.shares) < g.header.pieces.needed {
		return nil, nil
	}
	var xs []byte
	var points []seal.Secret
	for _, s := range g.shares {
		xs, points = append(xs, s.x), append(points, s.y)
	}
	key = combine(xs, points)
	g.Drop()
	if err := g.header.Check(key); err != nil {
		key.Wipe() // the header has digests of shares that are not of its key
		return nil, fmt.Errorf("combine shares: %w", err)
	}
	return key, nil
}

// fits refuses a share that is not one more of the key's.
func (g *Gathering) fits(s *share) error {
	p := g.header.pieces
	digest, err := s.digest()
	if err != nil {
		return err
	}
	if int(s.x) > len(p.digest) || !hmac.Equal(digest[:], p.digest[s.x-1][:]) {
		text := "this is a share of another root key; nothing was changed"
		if bytes.Equal(s.set[:], g.header.check[:shareSet]) {
			text = "this is no share of the root key, though it says so: it was forged or " +
				"copied wrong; nothing was changed"
		}
		return fault.Wrap(fault.Invalid, ErrForeign, text)
	}
	if slices.ContainsFunc(g.shares, func(o *share) bool { return o.x == s.x }) {
		return fault.Wrap(fault.Invalid, ErrAgain, fmt.Sprintf("share %d was given before; "+
			"another one is needed; nothing was changed", s.x))
	}
	return nil
}

// Drop forgets what was given.
func (g *Gathering) Drop() {
	for _, s := range g.shares {
		s.y.Wipe()
	}
	g.shares = nil
}
