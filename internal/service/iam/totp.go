package iam

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// One-time codes are those of RFC 6238 with HMAC-SHA1, six digits and 30 seconds:
// what authenticator apps and AWS use.
const (
	totpStep = 30 // seconds
	seedSize = 40 // bytes; 64 characters of base32, as AWS's
	// drift is how many steps a device's clock may be off.
	drift = 1
	// farDrift is how many steps a resync looks, an hour either way: two codes in a
	// row are hard to guess.
	farDrift = 120
)

// stepOf numbers the time of a code.
func stepOf(t time.Time) int64 { return t.Unix() / totpStep }

// oneTimeCode is the code of a step.
func oneTimeCode(seed []byte, step int64) string {
	var sum []byte
	// The standard fixes SHA-1, which FIPS 140-3 does not approve; as HMAC it is not
	// broken.
	fips140.WithoutEnforcement(func() {
		h := hmac.New(sha1.New, seed)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
		sum = h.Sum(nil)
	})
	at := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[at:]) & (1<<31 - 1)
	return fmt.Sprintf("%06d", n%1_000_000)
}

// findCode gives the first step after used, within width of now, whose code and, if
// next is not empty, whose following code these are. It takes the same time wherever
// they are.
func findCode(seed []byte, code, next string, now, used int64, width int) (step int64, ok bool) {
	found := 0
	for i := int64(-width); i <= int64(width); i++ {
		at := now + i
		right := equalCode(oneTimeCode(seed, at), code)
		if next != "" {
			right &= equalCode(oneTimeCode(seed, at+1), next)
		}
		if at <= used {
			right = 0
		}
		first := right &^ found
		step += int64(first) * at
		found |= right
	}
	return step, found == 1
}

func equalCode(a, b string) int { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) }
