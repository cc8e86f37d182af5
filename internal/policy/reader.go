package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"coffer/internal/fault"
)

// MaxBytes is the longest document that Parse reads: the bound of PolicyType
// in the KMS model. Services have lower ones and check them themselves.
const MaxBytes = 131072

// maxString is the longest name, pattern or value within a document. It bounds
// the time of one match.
const maxString = 4096

var (
	errNotARN = errors.New("not an ARN")
	errForm   = errors.New("unexpected form")
)

// reader walks a document token by token. The grammar is at most six levels
// deep and each is read by its own function, so nesting needs no counter.
type reader struct {
	dec *json.Decoder
	doc []byte
}

// malformed is a refusal with a text for the client.
func malformed(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...)
}

// syntaxError is a refusal whose text is the one IAM gives for every fault of
// form; the cause tells more to a log.
func syntaxError(format string, args ...any) error {
	return fault.Wrap(fault.Invalid, fmt.Errorf(format, args...), "Syntax errors in policy.")
}

// newReader checks size and JSON syntax.
func newReader(doc []byte) (*reader, error) {
	if len(doc) == 0 {
		return nil, syntaxError("empty document")
	}
	if len(doc) > MaxBytes {
		return nil, malformed("Policy document length exceeds %d bytes.", MaxBytes)
	}
	if !utf8.Valid(doc) {
		return nil, syntaxError("not UTF-8")
	}
	if !json.Valid(doc) {
		return nil, syntaxError("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	return &reader{dec, doc}, nil
}

// token gives the next token; the syntax is known to be right.
func (r *reader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, syntaxError("read token: %w", err)
	}
	return t, nil
}

// position is where the reader stands: behind the last token.
func (r *reader) position() Position {
	read := r.doc[:r.dec.InputOffset()]
	line := bytes.LastIndexByte(read, '\n') + 1
	return Position{bytes.Count(read, []byte{'\n'}) + 1, utf8.RuneCount(read[line:]) + 1}
}

// object reads an object, handing each key once to member, which must read
// the value. Keys that occur twice are refused.
func (r *reader) object(name string, member func(key string) error) error {
	t, err := r.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return syntaxError("%s: %w, want an object", name, errForm)
	}
	return r.members(name, member)
}

// members reads what follows an opening brace.
func (r *reader) members(name string, member func(key string) error) error {
	seen := make(map[string]bool)
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		key, _ := t.(string) // keys are strings in valid JSON
		if seen[key] {
			return syntaxError("%s: %q occurs twice", name, key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

// text reads a string.
func (r *reader) text(name string) (string, error) {
	t, err := r.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", syntaxError("%s: %w, want a string", name, errForm)
	}
	return s, checkString(name, s)
}

// texts reads a string or a list of strings. With scalars it takes numbers and
// booleans too, as their JSON text.
func (r *reader) texts(name string, scalars bool) ([]string, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		s, err := textOf(name, t, scalars)
		if err != nil {
			return nil, err
		}
		return []string{s}, nil
	}
	var list []string
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		s, err := textOf(name, t, scalars)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	_, err = r.token()
	return list, err
}

func textOf(name string, t json.Token, scalars bool) (string, error) {
	switch v := t.(type) {
	case string:
		return v, checkString(name, v)
	case json.Number:
		if scalars {
			return v.String(), checkString(name, v.String())
		}
	case bool:
		if scalars {
			return boolText(v), nil
		}
	}
	return "", syntaxError("%s: %w, want a string", name, errForm)
}

func checkString(name, s string) error {
	if len(s) > maxString {
		return malformed("%s holds a string of more than %d bytes.", name, maxString)
	}
	return nil
}
