package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// tokenKind says what a token of a pattern matches.
type tokenKind uint8

const (
	literal  tokenKind = iota // exactly text
	anyRun                    // *, any run of characters, also none
	anyPart                   // *, any run without a colon
	anyOne                    // ?, exactly one character
	variable                  // the value of the context key text, literally
)

// token is one step of a pattern.
type token struct {
	kind      tokenKind
	text      string // of a literal; the folded context key of a variable
	written   string // of a variable: its key as it is written
	fallback  string // of a variable without a value
	defaulted bool   // whether fallback was given
}

// pattern is a compiled string of a policy. The zero pattern matches only "".
type pattern struct {
	tokens    []token
	variables bool // whether a token is a variable
	folded    bool // literals are in lower case, values must be brought to it
}

// wild reports whether p has a wildcard.
func (p *pattern) wild() bool {
	for i := range p.tokens {
		if k := p.tokens[i].kind; k == anyRun || k == anyPart || k == anyOne {
			return true
		}
	}
	return false
}

// add appends a token, joining literals and runs of *.
func (p *pattern) add(t token) {
	if n := len(p.tokens); n > 0 {
		last := &p.tokens[n-1]
		if t.kind == literal && last.kind == literal {
			last.text += t.text
			return
		}
		if t.kind == anyRun && last.kind == anyRun {
			return
		}
	}
	p.tokens = append(p.tokens, t)
	p.variables = p.variables || t.kind == variable
}

// withinParts gives p for ARNs that lack parts: a * that does not end a part
// stays within its part.
func (p *pattern) withinParts() pattern {
	q := *p
	q.tokens = slices.Clone(p.tokens)
	for i := range q.tokens {
		if q.tokens[i].kind != anyRun || i == len(q.tokens)-1 {
			continue
		}
		next := &q.tokens[i+1]
		if next.kind != literal || !strings.HasPrefix(next.text, ":") {
			q.tokens[i].kind = anyPart
		}
	}
	return q
}

// matchTokens reports whether tokens, none a variable, cover all of s. Every
// token but * takes a fixed number of characters, so going back to the last *
// is enough: the time is bounded by len(s) times the length of the pattern.
// A * that is bound to its part gives up at a colon; then the last that is not
// goes on, which costs a part's length once more.
func matchTokens(tokens []token, s string) bool {
	at, pos := 0, 0
	free, bound := resume{at: -1}, resume{at: -1}
	for at < len(tokens) || pos < len(s) {
		if at < len(tokens) {
			switch t := &tokens[at]; t.kind {
			case anyRun:
				if at == len(tokens)-1 {
					return true
				}
				at++
				free, bound = resume{at, pos}, resume{at: -1}
				continue
			case anyPart:
				at++
				bound = resume{at, pos}
				continue
			default:
				if n := t.take(s[pos:]); n >= 0 {
					pos += n
					at++
					continue
				}
			}
		}
		switch {
		case bound.more(s) && s[bound.pos-1] != ':':
			at, pos = bound.at, bound.pos
		case free.more(s):
			at, pos, bound.at = free.at, free.pos, -1
		default:
			return false
		}
	}
	return true
}

// resume is the token behind a *, and how far that reaches.
type resume struct{ at, pos int }

// more lets the * take one character more of s, if there is one.
func (r *resume) more(s string) bool {
	if r.at < 0 || r.pos == len(s) {
		return false
	}
	_, n := utf8.DecodeRuneInString(s[r.pos:])
	r.pos += n
	return true
}

// take gives the length of the beginning of s that t matches, or -1.
func (t *token) take(s string) int {
	if t.kind == anyOne {
		if s == "" {
			return -1
		}
		_, n := utf8.DecodeRuneInString(s)
		return n
	}
	if !strings.HasPrefix(s, t.text) {
		return -1
	}
	return len(t.text)
}

// fold gives the form under which names without case are compared: context
// keys, actions, and the values of the IgnoreCase operators.
func fold(s string) string { return strings.ToLower(s) }
