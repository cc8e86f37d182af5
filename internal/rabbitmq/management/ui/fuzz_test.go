package ui

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// FuzzArguments: what is read of a form is read again from how it is shown.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		"x-max-length = 5", "a = true\nb = [1, {\"c\": null}]\r\n", "a=b=c", "=", "a = \"5\"",
		"a = null", "a = 1e999", "a = \"x\\ny\"", "a = \" \"", "a = {", "\x00 = \xff", "0=\xdb\r0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseArguments(text)
		if err != nil {
			return
		}
		lines, err := showLines(all)
		must(t, err)
		again, err := parseArguments(lines)
		if err != nil {
			t.Fatalf("%q is shown as %q: %v", text, lines, err)
		}
		a, err := json.Marshal(all)
		must(t, err)
		b, err := json.Marshal(again)
		must(t, err)
		if string(a) != string(b) {
			t.Fatalf("%q is shown as %q: %s, not %s", text, lines, b, a)
		}
	})
}

// FuzzNext: whatever asks for a page after sign-in, it is one of ours.
func FuzzNext(f *testing.F) {
	for _, seed := range []string{"/queues?name=x", "//x", "/\\x", "https://x/", "/%2f/x", "/;"} {
		f.Add(seed)
	}
	base := &url.URL{Scheme: "https", Host: "here.example", Path: "/login"}
	f.Fuzz(func(t *testing.T, next string) {
		got := inside(next)
		if got == "" {
			return
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != "https" || u.User != nil {
			t.Fatalf("%q leads to %v %v", next, u, err)
		}
		if strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Fatalf("%q may lead elsewhere", got)
		}
	})
}

// FuzzMessage: any payload and properties are shown.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"a":1}`), []byte(`{"headers":{"x":[1]},"priority":1}`), true)
	f.Add([]byte{0, 1, 255}, []byte(`[]`), false)
	f.Fuzz(func(t *testing.T, payload, properties []byte, text bool) {
		m := message{Payload: string(payload), Encoding: "string", RawProperties: properties}
		if !text {
			m.Payload, m.Encoding = base64.StdEncoding.EncodeToString(payload), "base64"
		}
		pretty, dump := m.Pretty(), m.Dump()
		if text && json.Valid(payload) {
			var a, b any
			must(t, json.Unmarshal(payload, &a))
			must(t, json.Unmarshal([]byte(pretty), &b))
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("%q is shown as %q", payload, pretty)
			}
		}
		if !text && len(payload) > 0 && !strings.HasPrefix(dump, "000000  ") {
			t.Fatalf("%q is shown as %q", payload, dump)
		}
		_, _ = m.Properties(), m.Headers()
	})
}
