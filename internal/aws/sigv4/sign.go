package sigv4

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key is what a client signs with.
type Key struct {
	AccessKeyID  string
	Secret       Secret
	SessionToken string // empty for a long-term key
}

// Sign adds X-Amz-Date, X-Amz-Security-Token where there is a token, and
// Authorization. It covers every header that is there, so it is called last,
// but for those that proxies change. To leave the body out, set
// X-Amz-Content-Sha256 to UNSIGNED-PAYLOAD before.
func Sign(r *http.Request, body []byte, k Key, region, service string, at time.Time) {
	c := newClaim(k, region, service, at)
	r.Header.Set("X-Amz-Date", c.date)
	r.Header.Del("Authorization")
	if k.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", k.SessionToken)
	}
	c.headers = covered(r)
	r.Header.Set("Authorization", algorithm+" Credential="+c.credential()+
		", SignedHeaders="+strings.Join(c.headers, ";")+", Signature="+c.sign(r, body, k.Secret))
}

// Presign adds the signature to the query; the request is good for expires,
// in whole seconds up to a week. Headers that are there are covered and must
// be sent.
func Presign(r *http.Request, body []byte, k Key, region, service string,
	at time.Time, expires time.Duration) {
	c := newClaim(k, region, service, at)
	c.Presigned = true
	c.headers = covered(r)
	add := []parameter{
		{"X-Amz-Algorithm", algorithm},
		{"X-Amz-Credential", c.credential()},
		{"X-Amz-Date", c.date},
		{"X-Amz-Expires", strconv.Itoa(int(expires / time.Second))},
		{"X-Amz-SignedHeaders", strings.Join(c.headers, ";")},
	}
	if k.SessionToken != "" {
		add = append(add, parameter{"X-Amz-Security-Token", k.SessionToken})
	}
	r.URL.RawQuery = canonicalQuery(append(splitQuery(r.URL.RawQuery), add...))
	r.URL.RawQuery += "&X-Amz-Signature=" + c.sign(r, body, k.Secret)
}

func newClaim(k Key, region, service string, at time.Time) *Claim {
	at = at.UTC()
	c := &Claim{day: at.Format(dayFormat), date: at.Format(isoFormat)}
	c.AccessKeyID, c.Region, c.Service = k.AccessKeyID, region, service
	return c
}

func (c *Claim) credential() string {
	return strings.Join([]string{c.AccessKeyID, c.day, c.Region, c.Service, terminator}, "/")
}

// sign gives the signature, in hexadecimal digits.
func (c *Claim) sign(r *http.Request, body []byte, secret Secret) string {
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" && c.Presigned && c.Service == "s3" {
		payload = unsignedPayload
	} else if payload == "" {
		payload = hash(body)
	}
	key := derive(secret, c)
	return hex.EncodeToString(mac(key[:], c.stringToSign(c.canonical(r, payload))))
}

// covered lists the headers to sign: all but those that a proxy or Go's client
// changes on the way.
func covered(r *http.Request) []string {
	names := []string{"host"}
	for name := range r.Header {
		switch lower := strings.ToLower(name); lower {
		case "authorization", "connection", "content-length", "expect", "host",
			"transfer-encoding", "user-agent", "x-amzn-trace-id":
		default:
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	return names
}
