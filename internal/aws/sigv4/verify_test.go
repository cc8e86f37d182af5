package sigv4

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// The signature of get-vanilla, and its header.
const (
	vanillaSignature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	vanilla          = algorithm + " Credential=" + suiteScope +
		", SignedHeaders=host;x-amz-date, Signature=" + vanillaSignature
)

// TestHeaderForms accepts what real clients write.
func TestHeaderForms(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		vanilla,
		strings.ReplaceAll(vanilla, ", ", ","),
		strings.ReplaceAll(vanilla, ", ", " "),
		algorithm + " Signature=" + vanillaSignature +
			",SignedHeaders=host;x-amz-date,  Credential=" + suiteScope,
	} {
		r := request(t, "GET", "/", "X-Amz-Date", suiteDate, "Authorization", form)
		if _, err := suiteVerifier().Verify(r, nil, suiteLookup); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
	// Old clients sign the Date header, in HTTP's format.
	r := request(t, "GET", "/")
	c := newClaim(Key{AccessKeyID: suiteKeyID}, "us-east-1", "service", suiteTime())
	r.Header.Set("Date", suiteTime().Format(http.TimeFormat))
	c.headers = []string{"date", "host"}
	r.Header.Set("Authorization", algorithm+" Credential="+suiteScope+
		", SignedHeaders=date;host, Signature="+c.sign(r, nil, NewSecret(suiteSecret)))
	if _, err := suiteVerifier().Verify(r, nil, suiteLookup); err != nil {
		t.Errorf("Date header: %v", err)
	}
}

// refusals are changes of get-vanilla's header, and what they are answered.
var refusals = []struct {
	name, old, new string
	kind           Kind
	text           string
}{
	{"no algorithm", algorithm + " ", "Bearer ", Incomplete, "Authorization header requires " +
		"'Credential' parameter. Authorization header requires 'Signature' parameter. " +
		"Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and "},
	{"other algorithm", "SHA256", "SHA512", Incomplete,
		"Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'"},
	{"asymmetric", "HMAC", "ECDSA-P256", Unsupported, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P"},
	{"no credential", "Credential=" + suiteScope + ", ", "", Incomplete,
		"Authorization header requires 'Credential' parameter. (Hashed"},
	{"no signature", ", Signature=" + vanillaSignature, "", Incomplete,
		"Authorization header requires 'Signature' parameter. (Hashed"},
	{"no signed headers", ", SignedHeaders=host;x-amz-date", "", Incomplete,
		"Authorization header requires 'SignedHeaders' parameter. (Hashed"},
	{"not a pair", ", Sig", ", abc, Sig", Incomplete,
		"'abc' not a valid key=value pair (missing equal-sign) in Authorization header"},
	{"space in the key", "AKIDEXAMPLE", "AKIDEXAMPLE ", Incomplete,
		"'/20150830/us-east-1/service/aws4_request' not a valid key=value pair"},
	{"twice", ", Sig", ", Signature=0, Sig", Incomplete, "has the parameter 'Signature' twice"},
	{"four parts", "/service", "", Incomplete, "Credential must have exactly 5 slash-delimited"},
	{"six parts", "/service", "/a/service", Incomplete, "Credential must have exactly 5"},
	{"strange key", "AKIDEXAMPLE", "AK\x00ID", Incomplete, "Credential must have exactly 5"},
	{"long key", "AKIDEXAMPLE", strings.Repeat("A", 129), Incomplete, "Credential must have"},
	{"no region", "us-east-1", "", Mismatch, "scoped to a valid region."},
	{"strange region", "us-east-1", "..", Mismatch, "scoped to a valid region."},
	{"no service", "/service", "/", Mismatch, "scoped to a valid service."},
	{"terminator", "aws4_request", "aws5_request", Mismatch, "Credential should be scoped " +
		"with a valid terminator: 'aws4_request', not 'aws5_request'."},
	{"day", "20150830/", "20150831/", Mismatch, "Date in Credential scope does not match " +
		"YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != '20150830', " +
		"from '20150830T123600Z'."},
	{"unknown key", "AKIDEXAMPLE", "AKIDANOTHER", UnknownKey,
		"The security token included in the request is invalid."},
	{"other service", "/service", "/iam", Mismatch, "The request signature we calculated " +
		"does not match the signature you provided. Check your AWS Secret Access Key and " +
		"signing method. Consult the service documentation for details."},
	{"host not signed", "host;x-amz-date", "x-amz-date", Incomplete,
		"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
	{"unsorted", "host;x-amz-date", "x-amz-date;host", Mismatch, "The request signature"},
	{"repeated", "host;x-amz-date", "host;host;x-amz-date", Mismatch, "The request signature"},
	{"upper case", "host;x-amz-date", "X-Amz-Date;host", Mismatch, "The request signature"},
	{"line in a name", "host;x-amz-date", "a\n;host;x-amz-date", Mismatch, "The request signature"},
	{"empty name", "host;x-amz-date", ";host;x-amz-date", Mismatch, "The request signature"},
	{"short signature", vanillaSignature, vanillaSignature[:62], Mismatch, "The request signature"},
	{"upper signature", vanillaSignature, strings.ToUpper(vanillaSignature), Mismatch, "signature"},
	{"no hex", vanillaSignature, "g" + vanillaSignature[1:], Mismatch, "The request signature"},
}

// check requires an error of a kind whose text contains want.
func check(t *testing.T, name string, err error, kind Kind, want string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Text, want) {
		t.Errorf("%s: %+v, want kind %d with %q", name, err, kind, want)
		return
	}
	of := map[bool]fault.Kind{true: fault.NotImplemented, false: fault.Unauthenticated}
	if fault.KindOf(err) != of[kind == Unsupported] {
		t.Errorf("%s: fault kind %v", name, fault.KindOf(err))
	}
	if strings.ContainsFunc(e.Text, func(c rune) bool { return c < ' ' || c > '~' }) {
		t.Errorf("%s: %q has characters that are not printable", name, e.Text)
	}
}

// TestRefused answers as AWS does.
func TestRefused(t *testing.T) {
	t.Parallel()
	v := suiteVerifier()
	for _, c := range refusals {
		h := strings.Replace(vanilla, c.old, c.new, 1)
		if h == vanilla {
			t.Fatalf("%s changes nothing", c.name)
		}
		r := request(t, "GET", "/", "X-Amz-Date", suiteDate, "Authorization", h)
		_, err := v.Verify(r, nil, suiteLookup)
		check(t, c.name, err, c.kind, c.text)
	}
}

// TestRefusedRequests are those whose trouble is not in one header.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	const dated = "X-Amz-Date"
	for _, c := range []struct {
		name    string
		uri     string
		headers []string
		kind    Kind
		text    string
	}{
		{"unsigned", "/", nil, Missing, "Missing Authentication Token"},
		{"empty header", "/", []string{"Authorization", ""}, Missing, "Authentication Token"},
		{"no date", "/", []string{"Authorization", vanilla}, Incomplete, "Authorization header " +
			"requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed"},
		{"nothing", "/", []string{"Authorization", "x"}, Incomplete, "'Credential' parameter. " +
			"Authorization header requires 'Signature' parameter. Authorization header " +
			"requires 'SignedHeaders' parameter. Authorization header requires existence"},
		{"date", "/", []string{"Authorization", vanilla, dated, "2015-08-30\n"}, Incomplete,
			"Date must be in ISO-8601 'basic format'. Got '2015-08-30?'."},
		{"two headers", "/", []string{"Authorization", vanilla, "Authorization", vanilla, dated,
			suiteDate}, Incomplete, "Only one auth mechanism allowed"},
		{"two forms", "/?X-Amz-Algorithm=" + algorithm, []string{"Authorization", vanilla, dated,
			suiteDate}, Incomplete, "Only one auth mechanism allowed"},
		{"payload", "/", []string{"Authorization", vanilla, dated, suiteDate,
			"X-Amz-Content-Sha256", hash([]byte("other"))}, WrongPayload, "does not match"},
		{"chunked", "/", []string{"Authorization", vanilla, dated, suiteDate,
			"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, Unsupported,
			"not implemented"},
		{"unsigned added", "/", []string{"Authorization", vanilla, dated, suiteDate,
			"X-Amz-Content-Sha256", unsignedPayload}, Mismatch, "The request signature"},
		{"target not signed", "/", []string{"Authorization", vanilla, dated, suiteDate,
			"X-Amz-Target", "A.B"}, Mismatch, "were not signed: x-amz-target"},
	} {
		_, err := suiteVerifier().Verify(request(t, "GET", c.uri, c.headers...), nil, suiteLookup)
		check(t, c.name, err, c.kind, c.text)
	}
}

// TestRefusedPresigned changes the parameters of a presigned request.
func TestRefusedPresigned(t *testing.T) {
	t.Parallel()
	const good = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + suiteScope +
		"&X-Amz-Date=" + suiteDate + "&X-Amz-SignedHeaders=host&X-Amz-Expires=3600" +
		"&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"
	for _, c := range []struct {
		name, old, new string
		kind           Kind
		text           string
	}{
		{"nothing but a signature", good[2:strings.Index(good, "X-Amz-Sig")], "", Incomplete,
			"AWS query-string parameters must include 'X-Amz-Algorithm'. " +
				"AWS query-string parameters must include 'X-Amz-Credential'. "},
		{"no date", "X-Amz-Date", "X-Amz-Day", Incomplete, "must include 'X-Amz-Date'. Re-examine"},
		{"algorithm", "HMAC", "MAC", Incomplete, "Unsupported AWS 'algorithm': 'AWS4-MAC-SHA256'."},
		{"asymmetric", "HMAC", "ECDSA-P256", Unsupported, "Unsupported AWS 'algorithm'"},
		{"twice", "&X-Amz-Date", "&X-Amz-Expires=1&X-Amz-Date", Incomplete, "s' twice"},
		{"escaped twice", "&X-Amz-Date", "&X-Amz-%45xpires=1&X-Amz-Date", Incomplete, "twice"},
		{"no life", "=3600", "=0", Incomplete, "must be a number between 1 and 604800"},
		{"long life", "=3600", "=604801", Incomplete, "must be a number between"},
		{"strange life", "=3600", "=1h", Incomplete, "got '1h'"},
		{"longer life", "=3600", "=3601", Mismatch, "The request signature"},
		{"default life", "&X-Amz-Expires=3600", "", Mismatch, "The request signature"},
		{"key", "AKID", "AKIX", UnknownKey, "The security token included in the request is"},
	} {
		uri := strings.Replace(good, c.old, c.new, 1)
		if uri == good {
			t.Fatalf("%s changes nothing", c.name)
		}
		_, err := suiteVerifier().Verify(request(t, "GET", uri), nil, suiteLookup)
		check(t, c.name, err, c.kind, c.text)
	}
	if _, err := suiteVerifier().Verify(request(t, "GET", good), nil, suiteLookup); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// TestLookupFails hands on what is no answer about the key.
func TestLookupFails(t *testing.T) {
	t.Parallel()
	down := errors.New("store is down")
	r := request(t, "GET", "/", "X-Amz-Date", suiteDate, "Authorization", vanilla)
	_, err := suiteVerifier().Verify(r, nil, func(string) (Secret, error) { return Secret{}, down })
	if !errors.Is(err, down) || fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

// TestSecret prints a secret in every way.
func TestSecret(t *testing.T) {
	t.Parallel()
	s := NewSecret(suiteSecret)
	held := struct{ Key Key }{Key{suiteKeyID, s, ""}}
	encoded, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "held", held)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", s, held, held, s, s), string(encoded), log.String(),
	} {
		if strings.Contains(text, suiteSecret) || !strings.Contains(text, redacted) {
			t.Errorf("%s", text)
		}
	}
	if s.Reveal() != suiteSecret {
		t.Error("not revealed")
	}
}
