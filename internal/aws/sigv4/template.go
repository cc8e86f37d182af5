package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	digest "hash"
	"net/http"
	"strings"
	"time"
)

// A Template signs many requests that differ in nothing but date and body, for who
// loads a server and must not be the limit: one signature takes two hashes and a MAC,
// and no memory. It may not be used by several goroutines at a time.
type Template struct {
	request         *http.Request
	key             Key
	region, service string

	second    int64 // of what follows, since 1970
	day       string
	mac       digest.Hash // nil: there is nothing yet
	canonical []byte      // all but the hash of the body
	toSign    []byte      // all but the hash of the canonical request
	lines     []byte      // all but the signature
	buf       []byte
}

// NewTemplate takes a request whose headers are as they will be sent, but for those
// that Append adds. It keeps r and changes its headers.
func NewTemplate(r *http.Request, k Key, region, service string) *Template {
	return &Template{request: r, key: k, region: region, service: service}
}

// Append appends X-Amz-Date, X-Amz-Security-Token where there is a token, and
// Authorization as lines of a request with this body.
func (t *Template) Append(dst, body []byte, at time.Time) []byte {
	if t.mac == nil || at.Unix() != t.second {
		t.renew(at)
	}
	sum := sha256.Sum256(body)
	t.buf = hex.AppendEncode(append(t.buf[:0], t.canonical...), sum[:])
	sum = sha256.Sum256(t.buf)
	t.buf = hex.AppendEncode(append(t.buf[:0], t.toSign...), sum[:])
	t.mac.Reset()
	t.mac.Write(t.buf) // never fails, by its contract
	dst = append(dst, t.lines...)
	return append(hex.AppendEncode(dst, t.mac.Sum(t.buf[:0])), "\r\n"...)
}

// renew prepares what holds for one second.
func (t *Template) renew(at time.Time) {
	c := newClaim(t.key, t.region, t.service, at)
	h := t.request.Header
	h.Set("X-Amz-Date", c.date)
	lines := "X-Amz-Date: " + c.date + "\r\n"
	if t.key.SessionToken != "" {
		h.Set("X-Amz-Security-Token", t.key.SessionToken)
		lines += "X-Amz-Security-Token: " + t.key.SessionToken + "\r\n"
	}
	c.headers = covered(t.request)
	if t.day != c.day {
		key := derive(t.key.Secret, c)
		t.mac = hmac.New(sha256.New, key[:])
	}
	t.second, t.day = at.Unix(), c.day
	t.canonical = []byte(c.canonical(t.request, ""))
	toSign := c.stringToSign("")
	t.toSign = []byte(toSign[:strings.LastIndexByte(toSign, '\n')+1])
	t.lines = []byte(lines + "Authorization: " + algorithm + " Credential=" + c.credential() +
		", SignedHeaders=" + strings.Join(c.headers, ";") + ", Signature=")
}
