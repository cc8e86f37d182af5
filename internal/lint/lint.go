// Package lint recognises personal data and secrets where others can read them: in
// names, tags and descriptions. AWS asks its customers to keep such things out of these
// fields; this tells when somebody does not.
//
// It guarantees that what it gives never holds what it looked at, and that it takes time
// linear in the text. It cannot be sure: what it calls a card number may be none, and
// a person's name is just a name to it. It decides nothing.
package lint

import (
	"regexp"
	"strings"
	"unicode"

	"coffer/internal/fault"
)

// Mode says what is done about a finding.
type Mode string

// The modes.
const (
	Off    Mode = "off"
	Warn   Mode = "warn"   // it is logged and on the audit trail
	Refuse Mode = "refuse" // the request fails
)

// ParseMode reads a setting; "" is Warn. The error has the kind fault.Invalid.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return Warn, nil
	case Off, Warn, Refuse:
		return m, nil
	}
	return "", fault.New(fault.Invalid, "%q is neither off, warn nor refuse", text)
}

// Detector names what a text looks like.
type Detector string

// The detectors.
const (
	PrivateKey  Detector = "private-key"
	JWT         Detector = "json-web-token"
	AccessKey   Detector = "access-key-id"
	SecretKey   Detector = "secret-access-key"
	Credentials Detector = "url-with-password"
	Email       Detector = "email-address"
	Card        Detector = "card-number"
)

// Secret reports whether the detector recognises what lets somebody in, which must not
// be repeated anywhere.
func (d Detector) Secret() bool { return d != Email && d != Card }

// String is the name for people: "an e-mail address".
func (d Detector) String() string {
	return map[Detector]string{
		PrivateKey: "a private key", JWT: "a JSON web token", AccessKey: "an access key id",
		SecretKey: "a secret access key", Credentials: "a URL with a password",
		Email: "an e-mail address", Card: "a card number",
	}[d]
}

// maxText bounds what is looked at, in bytes: texts of an API are shorter.
const maxText = 64 << 10

var (
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY`)
	jwt        = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`)
	// Access keys of users and of sessions; ids of principals are no secret.
	accessKey = regexp.MustCompile(`(?:^|[^A-Za-z0-9])A(?:KIA|SIA)[A-Z2-7]{16}(?:$|[^A-Za-z0-9])`)
	secretKey = regexp.MustCompile(`[A-Za-z0-9/+]{40,}`)
	// RFC 3986, section 3.2: user information before the host, with a password.
	credentials = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:]*:[^\s/?#@]+@`)
	email       = regexp.MustCompile(
		`[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}`)
	// Groups of digits as cards and people write them.
	card = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){12,18}`)
)

// Text tells what a text looks like, each detector at most once.
func Text(text string) []Detector {
	text = text[:min(len(text), maxText)]
	var found []Detector
	for _, c := range []struct {
		detector Detector
		hit      bool
	}{
		{PrivateKey, privateKey.MatchString(text)},
		{JWT, jwt.MatchString(text)},
		{AccessKey, accessKey.MatchString(text)},
		{SecretKey, anyOf(secretKey, text, random)},
		{Credentials, credentials.MatchString(text)},
		{Email, email.MatchString(credentials.ReplaceAllString(text, " "))},
		{Card, hasCard(text)},
	} {
		if c.hit {
			found = append(found, c.detector)
		}
	}
	return found
}

func anyOf(pattern *regexp.Regexp, text string, ok func(string) bool) bool {
	for _, s := range pattern.FindAllString(text, -1) {
		if ok(s) {
			return true
		}
	}
	return false
}

// random reports whether a word of 40 letters is of a secret access key: those have
// letters of both sizes and digits, and few of them twice; digests, which are hexadecimal,
// paths and words do not.
func random(word string) bool {
	if len(word) != 40 {
		return false
	}
	different := map[rune]bool{}
	var upper, lower, digit int
	for _, r := range word {
		different[r] = true
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		case unicode.IsDigit(r):
			digit++
		}
	}
	return upper >= 4 && lower >= 4 && digit >= 1 && len(different) >= 20 &&
		strings.Count(word, "/") <= 4
}

// hasCard reports whether a run of digits that stands alone is a card number.
func hasCard(text string) bool {
	for _, at := range card.FindAllStringIndex(text, -1) {
		if at[0] > 0 && joined(text[at[0]-1]) || at[1] < len(text) && joined(text[at[1]]) {
			continue // a part of a longer number, a UUID, an ARN or a name
		}
		if isCard(text[at[0]:at[1]]) {
			return true
		}
	}
	return false
}

// joined reports whether a byte beside a number makes it a part of something else.
func joined(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' ||
		strings.IndexByte("-_.:/+", b) >= 0
}

// isCard checks the issuer, the length and the last digit of a number with separators of
// one kind.
//
// Source: ISO/IEC 7812-1, annex B (the check digit); the issuers' published ranges.
func isCard(text string) bool {
	if strings.Contains(text, " ") && strings.Contains(text, "-") {
		return false
	}
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	n, two, four := len(digits), digits[:2], digits[:4]
	known := digits[0] == '4' && (n == 13 || n == 16 || n == 19) || // Visa
		two >= "51" && two <= "55" && n == 16 || four >= "2221" && four <= "2720" && n == 16 ||
		(two == "34" || two == "37") && n == 15 || // American Express
		(two == "36" || two == "38" || two == "30") && n == 14 || // Diners
		(two == "65" || four == "6011") && n == 16 || // Discover
		four >= "3528" && four <= "3589" && n == 16 || // JCB
		two == "62" && n >= 16 // UnionPay
	if !known {
		return false
	}
	sum := 0
	for i := range n {
		d := int(digits[n-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
