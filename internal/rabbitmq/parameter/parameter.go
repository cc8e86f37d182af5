// Package parameter checks the values of runtime parameters by RabbitMQ's rules and says
// what is wrong in RabbitMQ's words (rabbit_parameter_validation), so that scripts which
// read them find what they look for.
//
// It knows no component: what a shovel or an upstream may have is a list of [Rule] of
// theirs. No text shows what stands in a URI; see package peer.
package parameter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Check says what is wrong with the value of a key, one text for each thing. Values are
// what [Decode] gives.
type Check func(key string, value any) []string

// Rule is what a key of an object must keep.
type Rule struct {
	Key    string
	Check  Check
	Needed bool
}

// Decode reads a value: nil, bool, json.Number, string, []any, map[string]any.
func Decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// Object checks the keys of an object; name is whose they are. As in RabbitMQ the last
// key of the rules is told first, and unknown ones before all.
func Object(name string, value any, rules []Rule) (wrong []string) {
	object, ok := value.(map[string]any)
	if !ok {
		return []string{name + " not a list " + Term(value)}
	}
	rest := maps.Clone(object)
	for _, r := range slices.Backward(rules) {
		v, ok := object[r.Key]
		delete(rest, r.Key)
		switch {
		case ok:
			wrong = append(wrong, r.Check(r.Key, v)...)
		case r.Needed:
			wrong = append(wrong, fmt.Sprintf("Key \"%s\" not found in %s", r.Key, name))
		}
	}
	if len(rest) == 0 {
		return wrong
	}
	pairs := make([]string, 0, len(rest))
	for _, k := range slices.Sorted(maps.Keys(rest)) {
		pairs = append(pairs, "{"+Term(k)+","+Term(rest[k])+"}")
	}
	text := fmt.Sprintf("Unrecognised terms [%s] in %s", strings.Join(pairs, ","), name)
	return append([]string{text}, wrong...)
}

// Number takes any number.
func Number(key string, value any) []string {
	if _, ok := value.(json.Number); ok {
		return nil
	}
	return should(key, "be a number", value)
}

// Text takes a string.
func Text(key string, value any) []string {
	if _, ok := value.(string); ok {
		return nil
	}
	return should(key, "be binary", value)
}

// maxName is the length of names in AMQP, in octets.
const maxName = 255

// Name takes a string that fits AMQP's names.
func Name(key string, value any) []string {
	s, ok := value.(string)
	if ok && len(s) > maxName {
		return []string{fmt.Sprintf("%s should be less than 255 bytes, actually was %d",
			key, len(s))}
	}
	return Text(key, value)
}

// Bool takes true and false.
func Bool(key string, value any) []string {
	if _, ok := value.(bool); ok {
		return nil
	}
	return should(key, "be boolean", value)
}

// List takes an array.
func List(key string, value any) []string {
	if _, ok := value.([]any); ok {
		return nil
	}
	return should(key, "be list", value)
}

// Table takes an object; it stands for a table of arguments, which the broker checks
// when they are used.
func Table(key string, value any) []string {
	if _, ok := value.(map[string]any); ok {
		return nil
	}
	return []string{key + " not a list " + Term(value)}
}

// Enum takes one of some strings.
func Enum(options ...string) Check {
	return func(key string, value any) []string {
		s, ok := value.(string)
		if !ok {
			return Text(key, value)
		}
		if slices.Contains(options, s) {
			return nil
		}
		terms := make([]string, len(options))
		for i, o := range options {
			terms[i] = Term(o)
		}
		return should(key, "be one of ["+strings.Join(terms, ",")+"]", value)
	}
}

func should(key, what string, value any) []string {
	return []string{key + " should " + what + ", actually was " + Term(value)}
}
