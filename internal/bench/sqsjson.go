package bench

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strconv"
)

// MinSQSSize is the least size of a message in characters: its stamp as digits, since
// bodies of SQS are text.
const MinSQSSize = 2 * MinSize

// maxBatch is how many messages one request of SQS may hold.
const maxBatch = 10

// letters gives n random characters that JSON and XML take as they are.
func letters(n int) []byte {
	b := make([]byte, n/2+1)
	rand.Read(b) // it never fails
	return hex.AppendEncode(nil, b)[:n]
}

// appendText appends a message's text: the stamp and what all messages share.
func appendText(b []byte, s stamp, rest []byte) []byte {
	var raw [MinSize]byte
	s.put(raw[:])
	return append(hex.AppendEncode(b, raw[:]), rest...)
}

// textStamp reads the stamp of a message's text.
func textStamp(text []byte) (s stamp, ok bool) {
	var raw [MinSize]byte
	if len(text) < MinSQSSize {
		return s, false
	}
	if _, err := hex.Decode(raw[:], text[:MinSQSSize]); err != nil {
		return s, false
	}
	return stampOf(raw[:]), true
}

// appendID appends the ids of a batch's entries, which are their numbers.
func appendID(b []byte, i int) []byte {
	return append(strconv.AppendInt(append(b, `{"Id":"`...), int64(i), 10), '"')
}

// A scan finds strings in JSON by the names of their members, in order. Nothing is
// unescaped: what a server gives goes back to it as it came.
type scan struct{ rest []byte }

// next gives the next member with one of two names, and which of them it was.
func (s *scan) next(first, second string) (value []byte, name string) {
	for {
		text := s.quoted()
		if text == nil {
			return nil, ""
		}
		name = first
		if string(text) == second {
			name = second
		}
		if string(text) != name {
			continue
		}
		s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
		if len(s.rest) == 0 || s.rest[0] != ':' {
			continue // a value that reads like the name
		}
		s.rest = bytes.TrimLeft(s.rest[1:], " \t\r\n")
		if len(s.rest) > 0 && s.rest[0] == '"' {
			return s.quoted(), name
		}
	}
}

// quoted gives what is within the next quotes, and goes behind them.
func (s *scan) quoted() []byte {
	begin := bytes.IndexByte(s.rest, '"')
	if begin < 0 {
		return nil
	}
	s.rest = s.rest[begin+1:]
	for at := 0; ; at++ {
		end := bytes.IndexByte(s.rest[at:], '"')
		if end < 0 {
			s.rest = nil
			return nil
		}
		at += end
		if !escaped(s.rest[:at]) {
			text := s.rest[:at:at]
			s.rest = s.rest[at+1:]
			return text
		}
	}
}

// escaped reports whether what follows text is escaped by it.
func escaped(text []byte) (odd bool) {
	for i := len(text) - 1; i >= 0 && text[i] == '\\'; i-- {
		odd = !odd
	}
	return odd
}
