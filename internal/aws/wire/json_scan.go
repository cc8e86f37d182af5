package wire

import (
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds nesting, in what is read and in what is skipped.
const maxDepth = 64

// maxNumber bounds a number's length in bytes.
const maxNumber = 64

var errDepth = errors.New("could not parse request body into json: nested too deep")

// jsonScanner reads JSON (RFC 8259) strictly from left to right.
type jsonScanner struct {
	b       []byte
	i       int
	depth   int
	scratch []byte // unescaped strings
}

func (s *jsonScanner) bad() error {
	if s.i >= len(s.b) {
		return errors.New("could not parse request body into json: unexpected end of input")
	}
	return fmt.Errorf("could not parse request body into json: unexpected byte at %d", s.i)
}

// peek skips white space and gives the next byte, 0 at the end.
func (s *jsonScanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *jsonScanner) expect(c byte) error {
	if s.peek() != c {
		return s.bad()
	}
	s.i++
	return nil
}

// enter starts an object or a list, leave must follow its end.
func (s *jsonScanner) enter() error {
	if s.i++; s.depth == maxDepth {
		return errDepth
	}
	s.depth++
	return nil
}

func (s *jsonScanner) leave() { s.depth-- }

// more steps to the next item of an object or list that end closes.
func (s *jsonScanner) more(end byte, first bool) (bool, error) {
	c := s.peek()
	if c == end {
		s.i++
		return false, nil
	}
	if !first {
		if c != ',' {
			return false, s.bad()
		}
		s.i++
	}
	return true, nil
}

// key reads a member's name and the colon; the bytes live until the next call.
func (s *jsonScanner) key() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.bad()
	}
	k, err := s.str()
	if err != nil {
		return nil, err
	}
	return k, s.expect(':')
}

// str reads a string at its quote; the bytes live until the next call.
func (s *jsonScanner) str() ([]byte, error) {
	s.i++
	start, ascii := s.i, true
	for {
		if s.i += unescaped(s.b[s.i:]); s.i == len(s.b) {
			return nil, s.bad()
		}
		switch c := s.b[s.i]; {
		case c == '"':
			out := s.b[start:s.i]
			if !ascii && !utf8.Valid(out) {
				return nil, errors.New("could not parse request body into json: invalid UTF-8")
			}
			s.i++
			return out, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, s.bad()
		}
		ascii = false
		s.i++
	}
}

// unescaped gives how many bytes at the beginning of text stand for themselves in a
// string: printable ASCII but quotes and backslashes. It looks at eight at a time, for
// most of what travels is long text.
func unescaped[T string | []byte](text T) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(text); i += 8 {
		b := text[i : i+8]
		x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		// The lowest byte that is another sets its high bit; it may borrow from those above.
		found := (x | (x - each*' ') | (x ^ each*'"' - each) | (x ^ each*'\\' - each)) & high
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(text) && plain(text[i]) {
		i++
	}
	return i
}

// escaped reads on at the first backslash of a string.
func (s *jsonScanner) escaped(start int) ([]byte, error) {
	out := append(s.scratch[:0], s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			s.i++
			s.scratch = out
			if !utf8.Valid(out) {
				return nil, errors.New("could not parse request body into json: invalid UTF-8")
			}
			return out, nil
		case c < ' ':
			return nil, s.bad()
		case c != '\\':
			out = append(out, c)
			s.i++
		default:
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return nil, s.bad()
}

// escape reads one escape sequence at its backslash. Half a surrogate pair is
// no character and is refused.
func (s *jsonScanner) escape() (rune, error) {
	if s.i+1 >= len(s.b) {
		s.i = len(s.b)
		return 0, s.bad()
	}
	c := s.b[s.i+1]
	if c == 'u' {
		r, ok := s.hex()
		if ok && utf16.IsSurrogate(r) {
			low, more := s.hex()
			r = utf16.DecodeRune(r, low)
			ok = more && r != utf8.RuneError
		}
		if !ok {
			return 0, s.bad()
		}
		return r, nil
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(from) {
		if from[i] == c {
			s.i += 2
			return rune(to[i]), nil
		}
	}
	return 0, s.bad()
}

// hex reads \uXXXX.
func (s *jsonScanner) hex() (rune, bool) {
	if s.i+6 > len(s.b) || s.b[s.i] != '\\' || s.b[s.i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.b[s.i+2 : s.i+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.i += 6
	return r, true
}

// number reads a number's text.
func (s *jsonScanner) number() ([]byte, error) {
	start := s.i
	s.skipByte('-')
	if zero := s.skipByte('0'); !zero && !s.digits() {
		return nil, s.bad()
	}
	if s.skipByte('.') && !s.digits() {
		return nil, s.bad()
	}
	if s.skipByte('e') || s.skipByte('E') {
		_ = s.skipByte('+') || s.skipByte('-')
		if !s.digits() {
			return nil, s.bad()
		}
	}
	if s.i-start > maxNumber {
		n := s.i - start
		return nil, fmt.Errorf("could not parse request body into json: number of %d bytes", n)
	}
	return s.b[start:s.i], nil
}

func (s *jsonScanner) skipByte(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *jsonScanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

// literal reads true, false or null.
func (s *jsonScanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.bad()
	}
	s.i += len(word)
	return nil
}

// null reads a null if one stands next.
func (s *jsonScanner) null() (bool, error) {
	if s.peek() != 'n' {
		return false, nil
	}
	return true, s.literal("null")
}

// skip reads any value and forgets it.
func (s *jsonScanner) skip() error {
	var err error
	switch c := s.peek(); c {
	case '{', '[':
		return s.skipNested(c == '{')
	case '"':
		_, err = s.str()
	case 't':
		err = s.literal("true")
	case 'f':
		err = s.literal("false")
	case 'n':
		err = s.literal("null")
	default:
		_, err = s.number()
	}
	return err
}

func (s *jsonScanner) skipNested(object bool) error {
	end := byte(']')
	if object {
		end = '}'
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for first := true; ; first = false {
		more, err := s.more(end, first)
		if err != nil || !more {
			return err
		}
		if object {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}
