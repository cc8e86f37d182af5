package parameter

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTexts compares with what RabbitMQ 3.10 answered.
func TestTexts(t *testing.T) {
	t.Parallel()
	rules := []Rule{
		{Key: "n", Check: Number}, {Key: "s", Check: Text, Needed: true},
		{Key: "q", Check: Name}, {Key: "b", Check: Bool}, {Key: "l", Check: List},
		{Key: "t", Check: Table}, {Key: "e", Check: Enum("on", "off")},
	}
	for value, want := range map[string][]string{
		`{"s":""}`: nil,
		`{"n":1,"s":"x","q":"q","b":true,"l":[],"t":{},"e":"on"}`: nil,
		`{"n":"1","s":1,"b":"true"}`: {
			`b should be boolean, actually was <<"true">>`,
			`s should be binary, actually was 1`,
			`n should be a number, actually was <<"1">>`,
		},
		`{}`: {`Key "s" not found in x`},
		`{"s":null,"l":{"a":[1.5,false]},"t":[]}`: {
			`t not a list []`,
			`l should be list, actually was #{<<"a">> => [1.5,false]}`,
			`s should be binary, actually was null`,
		},
		`{"s":"","z":{},"y":"é"}`: {
			`Unrecognised terms [{<<"y">>,<<"é">>},{<<"z">>,#{}}] in x`,
		},
		`{"s":"","e":"maybe"}`: {
			`e should be one of [<<"on">>,<<"off">>], actually was <<"maybe">>`,
		},
		`{"s":"","e":7}`: {`e should be binary, actually was 7`},
		`[1]`:            {`x not a list [1]`},
		`"\u0001\u0002"`: {`x not a list <<1,2>>`},
		`{"s":"","q":"` + strings.Repeat("q", 256) + `"}`: {
			`q should be less than 255 bytes, actually was 256`,
		},
	} {
		v, err := Decode([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if got := Object("x", v, rules); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	for _, text := range []string{"", "{", "1 2", "nil"} {
		if v, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, v)
		}
	}
}

// FuzzTerm: whatever JSON is, its text is bounded and valid.
func FuzzTerm(f *testing.F) {
	f.Add(`{"a":[1,2,{"b":"c"}],"é":"\u0000"}`)
	f.Add(strings.Repeat("[", 40) + strings.Repeat("]", 40))
	f.Add(`"` + strings.Repeat("x", 5000) + `"`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Decode([]byte(text))
		if err != nil {
			return
		}
		if s := Term(v); len(s) > maxTerm+3 || !utf8.ValidString(s) {
			t.Errorf("%q: %d octets", text, len(s))
		}
	})
}
