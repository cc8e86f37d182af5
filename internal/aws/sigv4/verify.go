// Package sigv4 verifies and makes AWS signatures, version 4 with HMAC-SHA256,
// in the Authorization header and in the query (presigned requests).
//
// It guarantees that a verified request is byte for byte, as far as the
// signature covers it, the one that a holder of the secret signed within 15
// minutes of now or, presigned, within the life it states; that every x-amz-
// header of it is covered; and that signatures are compared in constant time.
// Errors are *[Error] with AWS's texts and a [Kind] that the caller maps to
// its protocol's code.
//
// It does not know who owns an access key, whether a session token belongs to
// it or has expired, or what the caller may do. It does not remember requests:
// one can be replayed within its life. Chunked payloads (S3) and asymmetric
// signatures are refused as unsupported.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
package sigv4

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const defaultSkew = 15 * time.Minute

// ErrUnknownKey is what a lookup gives for an access key that nobody has.
var ErrUnknownKey = errors.New("sigv4: unknown access key")

// Config tunes a [Verifier]; the zero value is AWS's behaviour.
type Config struct {
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Skew is how far a request's date may be from now. Default: 15 minutes.
	Skew time.Duration
	// MaxKeys bounds the derived keys that are kept. Default: 1024.
	MaxKeys int
}

// Verifier checks signatures. Its methods may be called from any goroutine.
type Verifier struct {
	cfg  Config
	keys keyCache
}

// New makes a verifier.
func New(cfg Config) *Verifier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Skew == 0 {
		cfg.Skew = defaultSkew
	}
	if cfg.MaxKeys == 0 {
		cfg.MaxKeys = defaultMaxKeys
	}
	return &Verifier{cfg: cfg, keys: keyCache{limit: cfg.MaxKeys}}
}

// Verify checks the signature of a request as the server got it. body is the
// whole body, which Verify does not keep. lookup finds the secret of an access
// key and gives ErrUnknownKey where there is none; its other errors are
// returned wrapped. A refused signature is an *[Error].
func (v *Verifier) Verify(r *http.Request, body []byte,
	lookup func(accessKeyID string) (Secret, error)) (*Credential, error) {
	c, err := Parse(r)
	if err != nil {
		return nil, err
	}
	return v.VerifyClaim(r, body, c, lookup)
}

// VerifyClaim is Verify of a request that was parsed.
func (v *Verifier) VerifyClaim(r *http.Request, body []byte, c *Claim,
	lookup func(accessKeyID string) (Secret, error)) (*Credential, error) {
	secret, err := lookup(c.AccessKeyID)
	if errors.Is(err, ErrUnknownKey) {
		return nil, failf(UnknownKey, "The security token included in the request is invalid.")
	}
	if err != nil {
		return nil, fmt.Errorf("look up access key %s: %w", c.AccessKeyID, err)
	}
	if err := v.checkTime(c); err != nil {
		return nil, err
	}
	payload, err := c.payload(r, body)
	if err != nil {
		return nil, err
	}
	if err := c.checkCovered(r); err != nil {
		return nil, err
	}
	key, cached := v.keys.get(secret, c)
	if !cached {
		key = derive(secret, c)
	}
	given, err := hex.DecodeString(c.signature)
	if err != nil || !hmac.Equal(given, mac(key[:], c.stringToSign(c.canonical(r, payload)))) {
		return nil, mismatch()
	}
	if !cached {
		// Only now: strangers must not be able to push others' keys out.
		v.keys.put(secret, c, key)
	}
	return &c.Credential, nil
}

// checkTime refuses what is too old or not yet valid.
func (v *Verifier) checkTime(c *Claim) error {
	now := v.cfg.Now().UTC().Truncate(time.Second)
	oldest, newest := now.Add(-v.cfg.Skew), now.Add(v.cfg.Skew)
	minutes := int(v.cfg.Skew / time.Minute)
	switch {
	case c.Date.After(newest):
		return failf(Skewed, "Signature not yet current: %s is still later than %s (%s + %d min.)",
			c.date, newest.Format(isoFormat), now.Format(isoFormat), minutes)
	case c.expires != 0 && now.After(c.Date.Add(c.expires)):
		return failf(RequestExpired, "Request has expired.")
	case c.expires == 0 && c.Date.Before(oldest):
		return failf(Skewed, "Signature expired: %s is now earlier than %s (%s - %d min.)",
			c.date, oldest.Format(isoFormat), now.Format(isoFormat), minutes)
	}
	return nil
}

// payload gives the last line of the canonical request, and notes whether it
// covers the body.
func (c *Claim) payload(r *http.Request, body []byte) (string, error) {
	said := r.Header.Get("X-Amz-Content-Sha256")
	if said == "" && c.Presigned {
		for _, p := range splitQuery(r.URL.RawQuery) {
			if p.name == "X-Amz-Content-Sha256" {
				said = p.value
			}
		}
		if said == "" && c.Service == "s3" {
			said = unsignedPayload
		}
	}
	if said == unsignedPayload {
		c.UnsignedPayload = true
		return said, nil
	}
	if strings.HasPrefix(said, "STREAMING-") {
		return "", failf(Unsupported, "Chunked payloads (%s) are not implemented.", printable(said))
	}
	real := hash(body)
	if said != "" && said != real {
		return "", failf(WrongPayload,
			"The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return real, nil
}

// checkCovered refuses a request with an x-amz- header that the signature does
// not cover: anybody on the way could have added it. Three need no cover: the
// date and the payload hash are part of what is signed anyway, and tokens may
// be added after signing.
func (c *Claim) checkCovered(r *http.Request) error {
	const ours = "x-amz-"
	for name := range r.Header {
		if len(name) < len(ours) || !strings.EqualFold(name[:len(ours)], ours) {
			continue
		}
		lower := strings.ToLower(name)
		if slices.Contains(c.headers, lower) {
			continue
		}
		switch lower {
		case "x-amz-date", "x-amz-content-sha256", "x-amz-security-token":
			continue
		}
		return failf(Mismatch, "There were headers present in the request which were "+
			"not signed: %s", printable(lower))
	}
	return nil
}
