package rootkey

import (
	"testing"

	"coffer/internal/fault"
)

// TestParseSource: every source that can be set, and what is none.
func TestParseSource(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Source{
		"/etc/root.key":              {Kind: Key, Place: File, Name: "/etc/root.key"},
		"file:fd:3":                  {Kind: Key, Place: File, Name: "fd:3"},
		"a:b":                        {Kind: Key, Place: File, Name: "a:b"},
		"credential:root":            {Kind: Key, Place: Credential, Name: "root"},
		"fd:0":                       {Kind: Key, Place: Descriptor},
		"fd:3":                       {Kind: Key, Place: Descriptor, FD: 3},
		"passphrase":                 {Kind: Passphrase, Place: Prompt},
		"passphrase:fd:9":            {Kind: Passphrase, Place: Descriptor, FD: 9},
		"passphrase:credential:word": {Kind: Passphrase, Place: Credential, Name: "word"},
		"shares":                     {Kind: Shares},
		"shares:fd:4":                {Kind: Shares, Place: Descriptor, FD: 4},
	} {
		got, err := ParseSource(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		back, err := ParseSource(got.String())
		if text != "file:fd:3" && (err != nil || back != got) {
			t.Errorf("%q is written as %q, read as %+v, %v", text, got, back, err)
		}
	}
	for _, text := range []string{"", "file:", "fd:", "fd:1", "fd:2", "fd:-3", "fd:x", "fd:9999999",
		"credential:", "credential:a/b", "credential:..", "passphrase:", "passphrase:words",
		"passphrase:file:a", "passphrase:env:A", "passphrase:fd:2",
		"shares:", "shares:fd:2", "shares:credential:a", "shares:abc",
	} {
		if s, err := ParseSource(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q is %+v, %v", text, s, err)
		}
	}
}

// FuzzParseSource: what is read is written as it was.
func FuzzParseSource(f *testing.F) {
	for _, s := range []string{"fd:3", "credential:a", "passphrase:fd:3", "x", "shares"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSource(text)
		if err != nil {
			return
		}
		if s.Place == File {
			if s.Name == "" {
				t.Errorf("%q names no file", text)
			}
			return
		}
		if back, err := ParseSource(s.String()); err != nil || back != s {
			t.Errorf("%q: %+v, then %+v, %v", text, s, back, err)
		}
	})
}
