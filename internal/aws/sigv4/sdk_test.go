package sigv4

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	awkwardURL  = "https://localhost:4566/v1/a%2Fb/c%20d/%C3%A9;x=1/?b=2&a=%2F+x&a=&plain&%C3%A9=~"
	awkwardBody = `{"KeyId":"alias/é"}`
)

// signed makes a request signed by AWS's own signer, as a server reads it.
func signed(t testing.TB, presign bool, change ...func(*http.Request)) (*http.Request, []byte) {
	t.Helper()
	body := []byte(awkwardBody)
	r, err := http.NewRequest(http.MethodPost, awkwardURL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.Encrypt")
	r.Header.Add("X-Spaces", "  a   b ")
	r.Header.Add("X-Spaces", "c")
	r.Header.Set("User-Agent", "changes on the way")
	for _, f := range change {
		f(r)
	}
	payload := hash(body)
	if said := r.Header.Get("X-Amz-Content-Sha256"); said != "" {
		payload = said
	}
	who := aws.Credentials{
		AccessKeyID: suiteKeyID, SecretAccessKey: suiteSecret, SessionToken: "to/ken+=",
	}
	signer := v4.NewSigner()
	if !presign {
		err = signer.SignHTTP(t.Context(), who, r, payload, "kms", "eu-west-1", suiteTime())
		if err != nil {
			t.Fatal(err)
		}
		return wire(t, r), body
	}
	q := r.URL.Query()
	q.Set("X-Amz-Expires", "60")
	r.URL.RawQuery = q.Encode()
	uri, header, err := signer.PresignHTTP(t.Context(), who, r, payload, "kms", "eu-west-1",
		suiteTime())
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(uri); err != nil {
		t.Fatal(err)
	}
	r.Header = header
	r.Header.Del("Content-Length") // the client writes it anyway
	return wire(t, r), body
}

// wire sends a request and reads it as a server does.
func wire(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestSDK verifies what AWS's signer makes.
func TestSDK(t *testing.T) {
	t.Parallel()
	for _, presign := range []bool{false, true} {
		r, body := signed(t, presign)
		got, err := suiteVerifier().Verify(r, body, suiteLookup)
		if err != nil {
			t.Errorf("presigned %v: %v", presign, err)
			continue
		}
		want := Credential{suiteKeyID, suiteTime(), "eu-west-1", "kms", "to/ken+=", presign, false}
		if *got != want {
			t.Errorf("presigned %v: %+v", presign, got)
		}
		if claimed, err := Parse(r); err != nil || claimed.Credential != want {
			t.Errorf("presigned %v: parsed %+v, %v", presign, claimed, err)
		}
	}
}

// TestSDKUnsigned says that a body is not covered, and lets it change then.
func TestSDKUnsigned(t *testing.T) {
	t.Parallel()
	for _, presign := range []bool{false, true} {
		r, _ := signed(t, presign, func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
		})
		got, err := suiteVerifier().Verify(r, []byte("anything"), suiteLookup)
		if err != nil || !got.UnsignedPayload {
			t.Errorf("presigned %v: %+v, %v", presign, got, err)
		}
	}
}

// tampered changes each part of a request that the signature covers.
func tampered(r *http.Request) map[string]func(*http.Request) {
	changes := map[string]func(*http.Request){
		"method":     func(r *http.Request) { r.Method = http.MethodPut },
		"path":       func(r *http.Request) { r.URL.Path += "x"; r.URL.RawPath += "x" },
		"host":       func(r *http.Request) { r.Host = "localhost:4567" },
		"more query": func(r *http.Request) { r.URL.RawQuery += "&z=1" },
		"extra x-amz": func(r *http.Request) {
			r.Header.Set("X-Amz-Extra", "1")
		},
		"path case": func(r *http.Request) {
			r.URL.RawPath = strings.Replace(r.URL.RawPath, "c%20d", "C%20d", 1)
			r.URL.Path = strings.Replace(r.URL.Path, "c d", "C d", 1)
		},
		"escaped slash": func(r *http.Request) {
			r.URL.RawPath = strings.Replace(r.URL.RawPath, "%2F", "/", 1)
		},
	}
	for name := range r.Header {
		if name == "User-Agent" || name == "Authorization" {
			continue
		}
		changes["header "+name] = func(r *http.Request) { r.Header[name][0] += "1" }
		changes["twice "+name] = func(r *http.Request) { r.Header.Add(name, "1") }
		changes["without "+name] = func(r *http.Request) {
			r.Header.Del(name)
			r.ContentLength = 0 // stands for the header
		}
	}
	for name := range r.URL.Query() {
		for what, value := range map[string][]string{"changed": {"1"}, "without": nil} {
			changes[what+" query "+name] = func(r *http.Request) {
				q := r.URL.Query()
				q[name] = value
				r.URL.RawQuery = q.Encode()
			}
		}
	}
	for _, part := range []string{"AKIDEXAMPLE", "20150830", "eu-west-1", "kms", "aws4_request",
		"host", "x-amz-target", "x-spaces"} {
		changes["credential "+part] = func(r *http.Request) {
			h := r.Header.Get("Authorization")
			if h == "" {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, part, "y"+part[1:], 1)
				return
			}
			r.Header.Set("Authorization", strings.Replace(h, part, "y"+part[1:], 1))
		}
	}
	return changes
}

// TestTampered changes one thing at a time: each must be refused.
func TestTampered(t *testing.T) {
	t.Parallel()
	v := suiteVerifier()
	for _, presign := range []bool{false, true} {
		original, body := signed(t, presign)
		changes := tampered(original)
		for _, name := range slices.Sorted(maps.Keys(changes)) {
			r := original.Clone(t.Context())
			changes[name](r)
			if strings.HasSuffix(name, "x-amz-target") && presign {
				continue // a presigned request has it in the query
			}
			got, err := v.Verify(r, body, suiteLookup)
			if err == nil {
				t.Errorf("presigned %v, %s: verified as %+v", presign, name, got)
			}
		}
		if _, err := v.Verify(original, append(body, ' '), suiteLookup); err == nil {
			t.Errorf("presigned %v: another body verified", presign)
		}
		other := func(string) (Secret, error) { return NewSecret("another"), nil }
		if _, err := v.Verify(original, body, other); err == nil {
			t.Errorf("presigned %v: another secret verified", presign)
		}
		for i := range 64 { // each digit of the signature
			r := original.Clone(t.Context())
			flip(r, i)
			if _, err := v.Verify(r, body, suiteLookup); err == nil {
				t.Errorf("presigned %v: signature verified with digit %d changed", presign, i)
			}
		}
		if _, err := v.Verify(original, body, suiteLookup); err != nil {
			t.Errorf("presigned %v: the original: %v", presign, err)
		}
	}
}

// flip changes one digit of the signature.
func flip(r *http.Request, digit int) {
	change := func(s string) string {
		at := strings.LastIndex(s, "Signature=") + len("Signature=") + digit
		b := []byte(s)
		b[at] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", b[at])]
		return string(b)
	}
	if h := r.Header.Get("Authorization"); h != "" {
		r.Header.Set("Authorization", change(h))
		return
	}
	r.URL.RawQuery = change(r.URL.RawQuery)
}

// BenchmarkVerify is what the gateway pays for each call.
func BenchmarkVerify(b *testing.B) {
	r, body := signed(b, false)
	v := suiteVerifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body, suiteLookup); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTime allows 15 minutes either way, or a presigned request's own life.
func TestTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		presign bool
		after   time.Duration
		want    string
	}{
		{false, 0, ""},
		{false, 15 * time.Minute, ""},
		{false, 15*time.Minute + time.Second, "Signature expired: 20150830T123600Z is now " +
			"earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
		{false, -15 * time.Minute, ""},
		{false, -15*time.Minute - time.Second, "Signature not yet current: 20150830T123600Z is " +
			"still later than 20150830T123559Z (20150830T122059Z + 15 min.)"},
		{true, 0, ""},
		{true, time.Minute, ""},
		{true, time.Minute + time.Second, "Request has expired."},
		{true, -15 * time.Minute, ""},
		{true, -16 * time.Minute, "Signature not yet current: 20150830T123600Z is " +
			"still later than 20150830T123500Z (20150830T122000Z + 15 min.)"},
	} {
		r, body := signed(t, c.presign)
		v := New(Config{Now: func() time.Time { return suiteTime().Add(c.after) }})
		_, err := v.Verify(r, body, suiteLookup)
		if got := text(err); got != c.want {
			t.Errorf("presigned %v, %v: %q, want %q", c.presign, c.after, got, c.want)
		}
	}
}

// text is an error's, or nothing.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
