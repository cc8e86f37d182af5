package rabbitmq

import (
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// longestMatch bounds the work for one name with a pattern that needs backtracking. A
// name that takes longer does not match: who chooses names must not stop the broker.
const longestMatch = 100 * time.Millisecond

// maxPattern bounds patterns, in bytes.
const maxPattern = 16 << 10

// matcher is a pattern of RabbitMQ's, which has Perl's expressions. Most of them are
// Go's, too, whose time is bounded by the length of the name; others, with (?!amq\.) and
// the like, are matched by backtracking. It is not anchored, and safe for concurrent use.
type matcher struct {
	all   bool // every name matches
	plain *regexp.Regexp
	back  *regexp2.Regexp
	last  atomic.Pointer[verdict] // of back: most names are asked for again and again
}

type verdict struct {
	name string
	ok   bool
}

// newMatcher reads a pattern. Errors say what is wrong with it.
func newMatcher(pattern string) (*matcher, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPattern)
	}
	if !utf8.ValidString(pattern) {
		return nil, errors.New("pattern is not UTF-8")
	}
	switch pattern {
	case "", ".*", "^.*", "^.*$", ".*$":
		return &matcher{all: true}, nil
	}
	m := &matcher{}
	var err error
	if m.plain, err = regexp.Compile(pattern); err == nil {
		return m, nil
	}
	back, failed := regexp2.Compile(pattern, regexp2.None)
	if failed != nil {
		return nil, err
	}
	back.MatchTimeout = longestMatch
	m.plain, m.back = nil, back
	return m, nil
}

// match reports whether the pattern is somewhere in the name.
func (m *matcher) match(name string) bool {
	switch {
	case m.all:
		return true
	case m.plain != nil:
		return m.plain.MatchString(name)
	}
	if v := m.last.Load(); v != nil && v.name == name {
		return v.ok
	}
	ok, err := m.back.MatchString(name)
	ok = ok && err == nil // the only error is that it took too long
	m.last.Store(&verdict{name, ok})
	return ok
}
