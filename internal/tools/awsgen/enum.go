package main

import (
	"strings"
	"unicode"
)

// enums renders a constant for each enum value: KeySpecRsa2048 = "RSA_2048".
// Values whose name is taken, or that make none, get no constant.
func (g *generator) enums() {
	for _, n := range sorted(g.Shapes) {
		s := g.Shapes[n]
		if len(s.Enum) == 0 || !g.used[n] {
			continue
		}
		g.p("// The values of %s.\nconst (\n", n)
		for _, v := range s.Enum {
			name := upperFirst(strings.TrimLeft(n, "_")) + camel(v)
			if !g.taken[name] {
				g.taken[name] = true
				g.p("%s = %q\n", name, v)
			}
		}
		g.p(")\n\n")
	}
}

// camel joins a value's words; a word all in capitals becomes a title, as in
// the names of AWS's SDK for Go.
func camel(value string) string {
	words := strings.FieldsFunc(value, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	var b strings.Builder
	for _, w := range words {
		if strings.ToUpper(w) == w {
			w = strings.ToLower(w)
		}
		b.WriteString(upperFirst(w))
	}
	return b.String()
}
