package parameter

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Bounds of what a text shows of a wrong value.
const (
	maxTerm  = 4096 // octets
	maxDepth = 16
)

// Term writes a decoded value as Erlang does, which RabbitMQ's texts show. What is too
// long or too deep ends in dots.
func Term(value any) string {
	var b strings.Builder
	write(&b, value, 0)
	if b.Len() > maxTerm {
		return strings.ToValidUTF8(b.String()[:maxTerm], "") + "..."
	}
	return b.String()
}

func write(b *strings.Builder, value any, depth int) {
	if depth > maxDepth || b.Len() > maxTerm {
		b.WriteString("...")
		return
	}
	switch v := value.(type) {
	case nil:
		b.WriteString("null")
	case string:
		writeBinary(b, v)
	case json.Number:
		b.WriteString(v.String())
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			comma(b, i)
			write(b, e, depth+1)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteString("#{")
		for i, k := range slices.Sorted(maps.Keys(v)) {
			comma(b, i)
			writeBinary(b, k)
			b.WriteString(" => ")
			write(b, v[k], depth+1)
		}
		b.WriteByte('}')
	default:
		fmt.Fprint(b, v)
	}
}

func comma(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

// writeBinary writes text in quotes, or its octets where it has unprintable ones.
func writeBinary(b *strings.Builder, s string) {
	b.WriteString("<<")
	defer b.WriteString(">>")
	if s == "" {
		return
	}
	wide := false
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			for i := range min(len(s), maxTerm) {
				comma(b, i)
				fmt.Fprint(b, s[i])
			}
			return
		}
		wide = wide || r > unicode.MaxLatin1
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
	b.WriteString(`"` + escape.Replace(s) + `"`)
	if wide {
		b.WriteString("/utf8")
	}
}
