package wire

import (
	"net/http"
	"reflect"
	"strings"
)

// restBinder sets the members of one request or response.
type restBinder struct {
	*checker
	seen seen
}

// texts sets a member from a path, a query string or a header; none leaves it.
func (b *restBinder) texts(i int, f *fieldPlan, s value, texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	if len(texts) > maxItems {
		return errItems
	}
	b.push(f.label)
	defer b.pop()
	b.seen.set(i)
	v := f.slot(s.Field(f.index))
	if f.kind == kindList {
		v.Set(reflect.MakeSlice(f.typ, len(texts), len(texts)))
		for i, t := range texts {
			if err := parseText(f.elem, v.Index(i), t, "iso8601"); err != nil {
				return err
			}
		}
	} else {
		otherwise := "iso8601"
		if f.where == inHeader {
			otherwise = "rfc822"
		}
		if err := parseText(&f.valuePlan, v, texts[len(texts)-1], otherwise); err != nil {
			return err
		}
	}
	b.field(f, v)
	return nil
}

// message sets what requests and responses carry alike: headers and the body.
func (b *restBinder) message(h http.Header, body []byte, s value) error {
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		var err error
		switch {
		case f.where == inHeaders:
			b.prefixed(i, f, s, h)
		case f.where != inHeader:
		case f.kind == kindList:
			err = b.texts(i, f, s, splitHeader(h.Values(f.name)))
		default:
			err = b.texts(i, f, s, h.Values(f.name))
		}
		if err != nil {
			return err
		}
	}
	if err := b.body(body, s); err != nil {
		return err
	}
	b.required(s.plan, &b.seen)
	return nil
}

// prefixed collects the headers that begin with the member's name.
func (b *restBinder) prefixed(i int, f *fieldPlan, s value, h http.Header) {
	m := reflect.MakeMap(f.typ)
	for name, values := range h {
		key, ok := cutPrefixFold(name, f.name)
		if !ok || len(values) == 0 {
			continue
		}
		k := reflect.ValueOf(strings.ToLower(key)).Convert(f.typ.Key())
		m.SetMapIndex(k, reflect.ValueOf(values[0]).Convert(f.typ.Elem()))
	}
	if m.Len() > 0 {
		b.seen.set(i)
		s.Field(f.index).Set(m)
	}
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func (b *restBinder) body(body []byte, s value) error {
	if s.plan.payload < 0 {
		d := jsonDecoder{jsonScanner: jsonScanner{b: body}, checker: b.checker, rest: true}
		return d.document(s, &b.seen)
	}
	f := &s.plan.fields[s.plan.payload]
	if len(body) == 0 {
		return nil
	}
	b.seen.set(s.plan.payload)
	b.push(f.label)
	defer b.pop()
	v := f.slot(s.Field(f.index))
	switch f.kind {
	case kindBlob:
		v.SetBytes(append([]byte(nil), body...))
	case kindString:
		if err := parseText(&f.valuePlan, v, string(body), ""); err != nil {
			return err
		}
	default:
		return decodeBody(b.checker, body, value{v, f.structure}, false)
	}
	b.field(f, v)
	return nil
}

func splitHeader(values []string) []string {
	var out []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			out = append(out, strings.TrimSpace(part))
		}
	}
	return out
}
