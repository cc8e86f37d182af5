package lint

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// TestText_IAM03: what each detector recognises, and what is near to it and is not
// (acceptance IAM-03, IAM-05, IAM-06).
func TestText_IAM03(t *testing.T) {
	t.Parallel()
	secret := "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for text, want := range map[string]string{
		"jane.doe@example.com":                       "[email-address]",
		"owner: Jane <jane+mq@mail.example.co.uk>":   "[email-address]",
		"amqp://jane:pw@mq.example.com":              "[url-with-password]",
		"amqps://:pw@mq.example.com, a@example.com":  "[url-with-password email-address]",
		"https://example.com/a@b":                    "[]",
		"https://user@example.com/":                  "[email-address]",
		"4111 1111 1111 1111":                        "[card-number]",
		"4111-1111-1111-1111":                        "[card-number]",
		"card 4111111111111111 of Jane":              "[card-number]",
		"378282246310005":                            "[card-number]",
		"5555555555554444,6011111111111117":          "[card-number]",
		"4111 1111-1111 1111":                        "[]",
		"4111111111111112":                           "[]", // check digit
		"x4111111111111111":                          "[]",
		"41111111111111110":                          "[]",
		"1700000000000":                              "[]", // a time
		"000000000000":                               "[]", // an account
		"AKIAIOSFODNN7EXAMPLE":                       "[access-key-id]",
		"key=ASIAIOSFODNN7EXAMPLE;":                  "[access-key-id]",
		"AROAIOSFODNN7EXAMPLE":                       "[]",
		"AKIAIOSFODNN7EXAMPLES":                      "[]",
		secret:                                       "[secret-access-key]",
		"aws_secret_access_key = " + secret:          "[secret-access-key]",
		secret + "a":                                 "[]",
		"da39a3ee5e6b4b0d3255bfef95601890afd80709":   "[]", // a digest
		"service/orders/production/eu/central1/main": "[]",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4": "[json-web-token]",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE":                       "[private-key]",
		"-----BEGIN CERTIFICATE-----":                                 "[]",
		"arn:aws:mq:us-east-1:123456789012:broker:b-4111-1111":        "[]",
		"orders-eu-1":                            "[]",
		"me@home":                                "[]",
		"b-41111111-1111-4111-8111-411111111111": "[]",
		"":                                       "[]",
	} {
		names := []string{}
		for _, d := range Text(text) {
			names = append(names, string(d))
			if d.String() == "" || d.Secret() != (d != Email && d != Card) {
				t.Errorf("%q is not described", string(d))
			}
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("%q looks like %s, want %s", text, got, want)
		}
	}
}

// TestRequest: what is set counts, what only names a thing does not.
func TestRequest(t *testing.T) {
	t.Parallel()
	mail, url := "a@example.com", "amqp://a:b@c"
	list := func(s ...any) []any { return s }
	for _, c := range []struct {
		op   string
		in   map[string]any
		want []string
	}{
		{"CreateUser", map[string]any{"userName": mail, "path": "/" + mail + "/"},
			[]string{"path", "userName"}},
		{"DeleteUser", map[string]any{"userName": mail}, nil},
		{"CreateAccessKey", map[string]any{"userName": mail}, nil},
		{"UpdateUser", map[string]any{"userName": mail, "newUserName": mail},
			[]string{"newUserName"}},
		{"PutUserPolicy", map[string]any{"userName": mail, "policyName": mail,
			"policyDocument": mail}, []string{"policyName"}},
		{"CreateKey", map[string]any{"description": url, "policy": mail,
			"tags": list(map[string]any{"tagKey": "owner", "tagValue": mail},
				map[string]any{"tagKey": mail, "tagValue": "x"})},
			[]string{"description", "tags.1.tagValue", "tags.2.tagKey"}},
		{"TagResource", map[string]any{"tags": map[string]any{"owner": mail, mail: "x", url: mail}},
			[]string{"tags.*", "tags.key", "tags.key", "tags.owner"}},
		{"UntagResource", map[string]any{"tagKeys": list(mail)}, nil},
		{"CreateBroker", map[string]any{"brokerName": mail, "users": list(
			map[string]any{"username": mail, "groups": list(mail)})},
			[]string{"brokerName", "users.1.username"}},
		{"UpdateKeyDescription", map[string]any{"keyId": mail, "description": mail},
			[]string{"description"}},
		{"DescribeKey", map[string]any{"description": mail}, nil},
	} {
		var got []string
		for _, f := range Request(c.op, c.in) {
			got = append(got, f.Parameter)
			f.Hide()
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.op, got, c.want)
		}
		if again := Request(c.op, c.in); len(again) > 0 {
			t.Errorf("%s: %v was not hidden", c.op, again)
		}
	}
}

// TestParseMode reads the modes and no other.
func TestParseMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Mode{"": Warn, "off": Off, "warn": Warn, "refuse": Refuse} {
		if m, err := ParseMode(text); err != nil || m != want {
			t.Errorf("%q: %s, %v", text, m, err)
		}
	}
	if _, err := ParseMode("on"); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// FuzzText: whatever it is, it is looked at, and the names of detectors are few.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a@b.cd", "4111 1111 1111 1111", "eyJ", "a://b:c@d", "\xff@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if found := Text(text); len(found) > 7 {
			t.Error(found)
		}
		if strings.TrimFunc(text, func(r rune) bool { return r < '0' || r > '9' }) == "" &&
			hasCard(text) {
			t.Errorf("a card without digits: %q", text)
		}
	})
}
