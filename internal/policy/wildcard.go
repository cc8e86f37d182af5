package policy

import (
	"strings"
	"unicode/utf8"
)

// tokenKind says what a token of a pattern matches.
type tokenKind uint8

const (
	literal  tokenKind = iota // exactly text
	anyRun                    // *, any run of characters, also none
	anyOne                    // ?, exactly one character
	variable                  // the value of the context key text, literally
)

// token is one step of a pattern.
type token struct {
	kind      tokenKind
	text      string // of a literal; the folded context key of a variable
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
		if k := p.tokens[i].kind; k == anyRun || k == anyOne {
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

// matchTokens reports whether tokens, none a variable, cover all of s. Every
// token but * takes a fixed number of characters, so going back to the last *
// is enough: the time is bounded by len(s) times the length of the pattern.
func matchTokens(tokens []token, s string) bool {
	at, pos := 0, 0
	star, starPos := -1, 0
	for {
		if at == len(tokens) && pos == len(s) {
			return true
		}
		if at < len(tokens) {
			if tokens[at].kind == anyRun {
				if at == len(tokens)-1 {
					return true
				}
				star, starPos = at, pos
				at++
				continue
			}
			if n := tokens[at].take(s[pos:]); n >= 0 {
				pos += n
				at++
				continue
			}
		}
		if star < 0 || starPos == len(s) {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[starPos:])
		starPos += n
		at, pos = star+1, starPos
	}
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
