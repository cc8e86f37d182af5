package wire

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendJSON renders a struct; with rest only the members of the body.
func appendJSON(b []byte, s value, rest bool) []byte {
	b = append(b, '{')
	n := len(b)
	b = appendMembers(b, s, rest)
	if len(b) > n {
		b = b[:len(b)-1] // the last comma
	}
	return append(b, '}')
}

// appendMembers renders the members that are present, a comma after each.
func appendMembers(b []byte, s value, rest bool) []byte {
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		if rest && f.where != inBody {
			continue
		}
		v, ok := f.present(s.Value)
		if !ok {
			continue
		}
		b = append(appendQuoted(b, f.name), ':')
		b = append(appendValue(b, &f.valuePlan, v), ',')
	}
	return b
}

func appendValue(b []byte, p *valuePlan, v reflect.Value) []byte {
	switch p.kind {
	case kindString:
		return appendQuoted(b, v.String())
	case kindBool:
		return strconv.AppendBool(b, v.Bool())
	case kindInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case kindFloat:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			return appendQuoted(b, formatFloat(x, 64))
		}
		return strconv.AppendFloat(b, v.Float(), 'g', -1, p.typ.Bits())
	case kindTime:
		format := p.timeFormat("unixTimestamp")
		text := formatTime(format, v.Interface().(time.Time))
		if format == "unixTimestamp" {
			return append(b, text...)
		}
		return appendQuoted(b, text)
	case kindBlob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case kindList:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, p.elem, reflect.Indirect(v.Index(i)))
		}
		return append(b, ']')
	case kindMap:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, k.String()), ':')
			b = appendValue(b, p.elem, reflect.Indirect(v.MapIndex(k)))
		}
		return append(b, '}')
	}
	return appendJSON(b, value{v, p.structure}, false)
}

// plain reports whether a byte of a string stands for itself.
func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// appendQuoted renders a string; what is not UTF-8 becomes U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if i += unescaped(s[i:]); i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
