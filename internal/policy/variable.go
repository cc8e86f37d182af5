package policy

import (
	"errors"
	"strings"
)

// errVariable: a ${ that is no policy variable. A policy with one would not
// mean what its author thinks.
var errVariable = errors.New("malformed policy variable")

// syntax says which characters of a policy string are special.
type syntax struct {
	wildcards bool // * and ?
	variables bool // ${…}, since version 2012-10-17
	foldCase  bool // literals match without regard to case
}

// compile reads a string of a policy. What a variable stands for is always
// matched literally: a * in a user name must not become a wildcard.
func compile(s string, x syntax) (pattern, error) {
	p := pattern{folded: x.foldCase}
	for s != "" {
		n := 1
		switch {
		case x.variables && strings.HasPrefix(s, "${"):
			t, size, err := readVariable(s)
			if err != nil {
				return pattern{}, err
			}
			p.add(t)
			n = size
		case x.wildcards && s[0] == '*':
			p.add(token{kind: anyRun})
		case x.wildcards && s[0] == '?':
			p.add(token{kind: anyOne})
		default:
			n = plain(s, x)
			p.add(token{kind: literal, text: p.form(s[:n])})
		}
		s = s[n:]
	}
	return p, nil
}

// plain gives the length of the literal at the beginning of s, at least 1.
func plain(s string, x syntax) int {
	special := ""
	if x.wildcards {
		special += "*?"
	}
	if x.variables {
		special += "$"
	}
	if i := strings.IndexAny(s[1:], special); i >= 0 {
		return i + 1
	}
	return len(s)
}

// readVariable reads ${key}, ${key, 'default'} or an escape such as ${*} at
// the beginning of s, and gives the length of what it read.
func readVariable(s string) (token, int, error) {
	for _, c := range []string{"*", "?", "$"} {
		if strings.HasPrefix(s, "${"+c+"}") {
			return token{kind: literal, text: c}, 4, nil
		}
	}
	end := strings.IndexAny(s, "},")
	if end < 0 {
		return token{}, 0, errVariable
	}
	key := strings.TrimSpace(s[2:end])
	if key == "" || strings.ContainsAny(key, "${'\"*?") {
		return token{}, 0, errVariable
	}
	t := token{kind: variable, text: fold(key), written: key}
	if s[end] == '}' {
		return t, end + 1, nil
	}
	fallback, n, err := readDefault(s[end+1:])
	if err != nil {
		return token{}, 0, err
	}
	t.fallback, t.defaulted = fallback, true
	return t, end + 1 + n, nil
}

// readDefault reads a quoted text and the closing brace; two quotes in a row
// stand for one.
func readDefault(s string) (string, int, error) {
	rest := strings.TrimLeft(s, " ")
	if !strings.HasPrefix(rest, "'") {
		return "", 0, errVariable
	}
	rest = rest[1:]
	var text strings.Builder
	for {
		i := strings.IndexByte(rest, '\'')
		if i < 0 {
			return "", 0, errVariable
		}
		text.WriteString(rest[:i])
		rest = rest[i+1:]
		if !strings.HasPrefix(rest, "'") {
			break
		}
		text.WriteByte('\'')
		rest = rest[1:]
	}
	rest = strings.TrimLeft(rest, " ")
	if !strings.HasPrefix(rest, "}") {
		return "", 0, errVariable
	}
	return text.String(), len(s) - len(rest) + 1, nil
}

// match reports whether p covers s, with variables taken from the request. A
// variable without a value, or with several, makes p match nothing: AWS calls
// the value null, and nothing is equal or like null.
func (p *pattern) match(e *evaluation, s string) bool {
	s = p.form(s)
	if !p.variables {
		return matchTokens(p.tokens, s)
	}
	var space [16]token
	tokens := space[:0]
	for _, t := range p.tokens {
		if t.kind == variable {
			v := e.lookup(t.text)
			switch {
			case v.len() == 1:
				t.text = p.form(v.at(0))
			case v.len() == 0 && t.defaulted:
				t.text = p.form(t.fallback)
			default:
				return false
			}
			t.kind = literal
		}
		tokens = append(tokens, t)
	}
	return matchTokens(tokens, s)
}

// form brings a text to the case in which p compares.
func (p *pattern) form(s string) string {
	if p.folded {
		return fold(s)
	}
	return s
}
