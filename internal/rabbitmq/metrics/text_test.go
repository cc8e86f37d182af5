package metrics

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", -1: "-1", 1 << 53: "9007199254740992", 1 << 60: "1.152921504606847e+18",
		.5: "0.5", 1e-9: "1e-09", math.Inf(1): "+Inf", math.Inf(-1): "-Inf",
		math.MaxFloat64: "1.7976931348623157e+308",
	} {
		if got := string(appendNumber(nil, v)); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if got := string(appendNumber(nil, math.NaN())); got != "NaN" {
		t.Error(got)
	}
}

// FuzzLabels: whatever a name is, the line is one sample with one label, and the name
// comes back as far as it is UTF-8.
func FuzzLabels(f *testing.F) {
	for _, s := range []string{"", "q", "a\"b", "\\", "\n", "\xff", "}\" 1\nx{a=\"", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var out text
		out.single("x", gauge, "Help.", pairs(escaper(), "queue", name), 1)
		p := parse(t, string(out.buf))
		if len(p.values) != 1 || len(p.labels["x"]) != 1 || !utf8.Valid(out.buf) {
			t.Fatalf("%q: %q", name, out.buf)
		}
		for key := range p.values {
			key = strings.TrimSuffix(strings.TrimPrefix(key, `x{queue="`), `"}`)
			back := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(key)
			if want := strings.ToValidUTF8(name, "\uFFFD"); back != want {
				t.Fatalf("%q, want %q", back, want)
			}
		}
	})
}
