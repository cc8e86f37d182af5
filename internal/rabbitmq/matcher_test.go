package rabbitmq

import (
	"strings"
	"testing"
	"time"
)

// TestMatcher: Perl's expressions as RabbitMQ's users write them.
func TestMatcher(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "x", true}, {".*", "", true}, {"^.*$", "x", true}, {"^$", "", true},
		{"^$", "x", false},
		{"b", "abc", true}, {"^b", "abc", false}, {`^(?!amq\.).*`, "amq.direct", false},
		{`^(?!amq\.).*`, "mine", true}, {`^(?!amq\.).*`, "", true},
		{`(?<=a)b`, "ab", true}, {`(?<=a)b`, "bb", false}, {`^(a|b)\1$`, "aa", true},
		{`^(a|b)\1$`, "ab", false}, {`(?i)^Q$`, "q", true}, {`^q[0-9]{2,}$`, "q12", true},
		{`\d+`, "a1", true}, {`^(?>a+)b`, "aab", true},
	} {
		m, err := newMatcher(c.pattern)
		must(t, err)
		for range 2 { // asked, and asked again
			if got := m.match(c.name); got != c.want {
				t.Errorf("%q in %q: %v", c.pattern, c.name, got)
			}
		}
	}
	for _, wrong := range []string{"(", "[", "a**", "(?<", `\`, strings.Repeat("a", maxPattern+1)} {
		if _, err := newMatcher(wrong); err == nil {
			t.Errorf("%.9q was read", wrong)
		}
	}
}

// TestMatcherEnds: a name that would take for ever does not match.
func TestMatcherEnds(t *testing.T) {
	t.Parallel()
	m, err := newMatcher(`^(?=(a+)+$)(a+)+$`)
	must(t, err)
	m.back.MatchTimeout = time.Millisecond
	if m.match(strings.Repeat("a", 200) + "b") {
		t.Error("it matches")
	}
	if !m.match("aa") {
		t.Error("a short one does not match")
	}
}

// FuzzMatcher: no pattern and no name stop the broker.
func FuzzMatcher(f *testing.F) {
	f.Add("^(?!amq).*", "amq.x")
	f.Add(`(a|\1)*$`, "aaa")
	f.Add("(?<n>x)(?(n)y|z)", "xy")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		m, err := newMatcher(pattern)
		if err != nil {
			return
		}
		if m.back != nil {
			m.back.MatchTimeout = 100 * time.Millisecond
		}
		if got := m.match(name); got != m.match(name) {
			t.Errorf("%q in %q: %v, and then not", pattern, name, got)
		}
	})
}
