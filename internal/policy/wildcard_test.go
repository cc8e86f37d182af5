package policy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false},
		{"*", "", true}, {"*", "anything", true}, {"**", "", true},
		{"?", "", false}, {"?", "é", true}, {"??", "é", false}, {"*?", "é", true},
		{"?*", "", false},
		{"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "acb", false}, {"a*c*", "acb", true},
		{"*abc", "ababc", true}, {"*ab?", "abxabc", true}, {"*a?c", "abc", true},
		{"a*b*c", "axbxbxc", true}, {"a*b*c", "axcxb", false}, {"a?c", "abbc", false},
	} {
		p, err := compile(c.pattern, syntax{wildcards: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := matchTokens(p.tokens, c.text); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.text, got)
		}
	}
}

// TestGlobIsQuick gives a pattern on which trying every split would not end before
// the tests' time is over.
func TestGlobIsQuick(t *testing.T) {
	t.Parallel()
	p, err := compile(strings.Repeat("*a?", 1000)+"b", syntax{wildcards: true})
	if err != nil {
		t.Fatal(err)
	}
	if matchTokens(p.tokens, strings.Repeat("a", maxString)) {
		t.Error("matches")
	}
}

// naive is the definition: each * tries every rest. With parts, one that does
// not end a part stays in it.
func naive(pattern, s string, parts bool) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		rest := strings.TrimLeft(pattern, "*")
		bound := parts && rest != "" && rest[0] != ':'
		return naive(rest, s, parts) ||
			s != "" && (!bound || s[0] != ':') && naive(pattern, s[size(s):], parts)
	}
	if s == "" {
		return false
	}
	if pattern[0] == '?' {
		return naive(pattern[1:], s[size(s):], parts)
	}
	return pattern[0] == s[0] && naive(pattern[1:], s[1:], parts)
}

func size(s string) int { _, n := utf8.DecodeRuneInString(s); return n }

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"a*b?c", "axxbyc"}, {"*é?", "aéb"}, {"**?*", ""},
		{"a:*:b*c:d", "a:x:y:bzc:d"}, {"*a*:?*b:*", "xa:a:ab:bb:"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 24 || len(s) > 48 || !utf8.ValidString(pattern) || !utf8.ValidString(s) ||
			strings.Count(pattern, "*") > 6 {
			t.Skip()
		}
		p, err := compile(pattern, syntax{wildcards: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := matchTokens(p.tokens, s), naive(pattern, s, false); got != want {
			t.Errorf("%q on %q: %v, want %v", pattern, s, got, want)
		}
		p = p.withinParts()
		if got, want := matchTokens(p.tokens, s), naive(pattern, s, true); got != want {
			t.Errorf("%q on %q within parts: %v, want %v", pattern, s, got, want)
		}
	})
}

func TestVariables(t *testing.T) {
	t.Parallel()
	r := Request{Principal: testUser("111122223333", "al*ce"), Action: "s3:GetObject",
		Resource: "arn:aws:s3:::b", ResourceAccount: "111122223333"}
	r.Context.Add("aws:PrincipalTag/Team", "blue")
	r.Context.Add("aws:TagKeys", "a", "b")
	e := evaluation{request: &r}
	e.prepare()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"home/${aws:username}/*", "home/al*ce/x", true},
		{"home/${aws:username}/*", "home/alice/x", false},
		{"${AWS:principaltag/team}", "blue", true},
		{"${aws:PrincipalTag/none}", "", false},
		{"${aws:PrincipalTag/none, 'x'}", "x", true},
		{"${ aws:PrincipalTag/none , 'it''s' }", "it's", true},
		{"${aws:PrincipalTag/Team, 'x'}", "x", false},
		{"${aws:TagKeys}", "a", false}, {"${aws:TagKeys, 'a'}", "a", false},
		{"${*}${?}${$}", "*?$", true}, {"${*}", "x", false},
		{"$", "$", true}, {"a$b", "a$b", true}, {"${$}{aws:username}", "${aws:username}", true},
		{"${aws:PrincipalTag/none, '${aws:username}'}", "${aws:username}", true},
	} {
		p, err := compile(c.pattern, syntax{wildcards: true, variables: true})
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if got := p.match(&e, c.text); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.text, got)
		}
	}
	for _, bad := range []string{"${", "${}", "${ }", "${a", "${a, b}", "${a, 'b}", "${a, 'b'",
		"${${a}}"} {
		if _, err := compile(bad, syntax{variables: true}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestResourcePatterns(t *testing.T) {
	t.Parallel()
	r := Request{Principal: testUser("111122223333", "alice"), Action: "sqs:SendMessage",
		Resource: "*"}
	e := evaluation{request: &r}
	e.prepare()
	const queue = "arn:aws:sqs:us-east-1:111122223333:q"
	for _, c := range []struct {
		pattern, name string
		narrow, wide  bool
	}{
		{"arn:aws:sqs:us-*:q", queue, true, true}, {"arn:aws:sqs:u*3:q", queue, false, true},
		{"arn:aws:sqs:us-*:*3333:q", queue, true, true},
		{"arn:aws:sqs:us-*:222*", queue, false, false},
		{"arn:aws:s*s:us-*:1?1*3:q", queue, true, true},
		{"arn:aws:sqs:*:3333:q", "arn:aws:sqs:us-east-1:9999:x:3333:q", false, true},
		{"arn:aws:mq:*:b-1", "arn:aws:mq:r:111122223333:broker:n:b-1", true, true},
		{"arn:aws:mq:*n:b-1", "arn:aws:mq:r:111122223333:broker:n:b-1", false, true},
		{"*", "*", true, true}, {"*", queue, true, true}, {queue, "*", false, false},
		{"arn:aws:sqs", queue, true, true}, {"arn:aws:sqs:*", queue, true, true},
		{"arn:aws:sqs:us-*:111122223333:?", queue, true, true},
		{"arn:aws:sqs:us-*:111122223333:??", queue, false, false},
		{"arn:aws:sqs:*:q", queue, true, true}, {"arn:aws:s*q", queue, false, true},
		{"arn:aws:sqs:us-east-1:111122223333:Q", queue, false, false},
		{"arn:aws:mq:*:*:broker:*:b-1", "arn:aws:mq:r:111122223333:broker:n:b-1", true, true},
		{"arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}",
			"arn:aws:iam::111122223333:user/alice", false, true},
		{"arn:aws:iam::111122223333:user/${aws:username}",
			"arn:aws:iam::111122223333:user/alice", true, true},
	} {
		p, err := compileARN(c.pattern, syntax{variables: true})
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		name := splitARN(c.name)
		if got := p.matchResource(&e, &name); got != c.narrow {
			t.Errorf("%q on %q: %v", c.pattern, c.name, got)
		}
		if got := p.matchWide(&e, &name); got != c.wide {
			t.Errorf("%q on %q, wide: %v", c.pattern, c.name, got)
		}
	}
}
