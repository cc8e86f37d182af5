package sigv4

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// cacheSize counts the derived keys.
func cacheSize(v *Verifier) int {
	v.keys.mu.RLock()
	defer v.keys.mu.RUnlock()
	return len(v.keys.keys)
}

// TestKeys keeps derived keys of verified requests only, within the bound, and
// forgets one whose access key got another secret.
func TestKeys(t *testing.T) {
	t.Parallel()
	v := New(Config{Now: suiteTime, MaxKeys: 3})
	secret := NewSecret(suiteSecret)
	lookup := func(string) (Secret, error) { return secret, nil }
	for i := range 10 {
		r := request(t, "GET", "/")
		Sign(r, nil, Key{AccessKeyID: "A", Secret: secret}, fmt.Sprint("r-", i), "kms", suiteTime())
		for range 2 {
			if _, err := v.Verify(r, nil, lookup); err != nil {
				t.Fatal(err)
			}
		}
		if n, want := cacheSize(v), min(i+1, 3); n != want {
			t.Errorf("%d keys are kept, want %d", n, want)
		}
	}
	before := cacheSize(v)
	r := request(t, "GET", "/")
	Sign(r, nil, Key{AccessKeyID: "A", Secret: NewSecret("guess")}, "r-9", "kms", suiteTime())
	if _, err := v.Verify(r, nil, lookup); err == nil {
		t.Error("another secret's signature verified")
	}
	secret = NewSecret("rotated")
	Sign(r, nil, Key{AccessKeyID: "A", Secret: secret}, "r-9", "kms", suiteTime())
	if _, err := v.Verify(r, nil, lookup); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	Sign(r, nil, Key{AccessKeyID: "A", Secret: NewSecret(suiteSecret)}, "r-9", "kms", suiteTime())
	if _, err := v.Verify(r, nil, lookup); err == nil {
		t.Error("the old secret's signature verified after rotation")
	}
	if cacheSize(v) != before {
		t.Errorf("%d keys are kept, want %d", cacheSize(v), before)
	}
}

// TestS3 takes a path once encoded and unnormalized, and leaves out the body
// of presigned requests.
func TestS3(t *testing.T) {
	t.Parallel()
	key := Key{AccessKeyID: suiteKeyID, Secret: NewSecret(suiteSecret)}
	r := request(t, "GET", "//a%20b/./c")
	if got := canonicalPath(r.URL, "s3"); got != "//a%20b/./c" {
		t.Errorf("path %s", got)
	}
	if got := canonicalPath(r.URL, "kms"); got != "/a%2520b/c" {
		t.Errorf("path %s", got)
	}
	Presign(r, nil, key, "us-east-1", "s3", suiteTime(), time.Minute)
	if c, err := suiteVerifier().Verify(r, []byte("any"), suiteLookup); err != nil ||
		!c.UnsignedPayload {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestNormalize resolves dots and slashes.
func TestNormalize(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "/", "/": "/", "//": "/", "/a": "/a", "/a/": "/a/", "a": "/a", "/a//b": "/a/b",
		"/a/./b/": "/a/b/", "/a/../b": "/b", "/..": "/", "/../../a": "/a", "/a/b/..": "/a/",
		"/.a": "/.a", "/a/...": "/a/...", "/a/.": "/a/", "/%2E/a": "/%2E/a",
	} {
		if got := normalize(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// FuzzVerify puts anything where a signature belongs: it must not panic, and
// nothing but a signature may verify.
func FuzzVerify(f *testing.F) {
	f.Add(vanilla, "", suiteDate)
	f.Add("", presignedSeed(f), suiteDate)
	for _, c := range refusals {
		f.Add(strings.Replace(vanilla, c.old, c.new, 1), "", suiteDate)
	}
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature==", "X-Amz-Algorithm=%", "Z")
	f.Add("AWS4-HMAC-SHA256", "%&=&+&%4&%zz&X-Amz-Signature", "Sun, 30 Aug 2015 12:36:00 GMT")
	v := suiteVerifier()
	f.Fuzz(func(t *testing.T, header, query, date string) {
		r := request(t, "GET", "/", "X-Amz-Date", date)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		r.URL.RawQuery = query
		c, err := v.Verify(r, nil, suiteLookup)
		genuine := strings.Contains(header, vanillaSignature) ||
			strings.Contains(query, "Signature=")
		if err == nil && (!genuine || c.AccessKeyID != suiteKeyID) {
			t.Errorf("verified %q with %q as %+v", header, query, c)
		}
		if err != nil && len(err.Error()) > 2048 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

// presignedSeed is a good query.
func presignedSeed(f *testing.F) string {
	r := request(f, "GET", "/")
	Presign(r, nil, Key{AccessKeyID: suiteKeyID, Secret: NewSecret(suiteSecret)},
		"us-east-1", "service", suiteTime(), time.Hour)
	return r.URL.RawQuery
}
