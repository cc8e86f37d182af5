package kit

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// Authenticator shows the codes of an MFA device, as an app on a phone does, written
// from RFC 6238 alone. It shows none twice.
type Authenticator struct {
	Serial string
	seed   []byte
	last   int64 // half minute of the last code
}

// NewAuthenticator takes the seed in base32.
func NewAuthenticator(t testing.TB, serial, seed string) *Authenticator {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(seed)
	if err != nil {
		t.Fatalf("seed of %s: %v", serial, err)
	}
	return &Authenticator{Serial: serial, seed: key, last: time.Now().Unix()/30 - 2}
}

// Code gives the next code: the first two are of the last half minute and of now, the
// third of the next one, which is taken too; for more one would have to wait.
func (d *Authenticator) Code() string {
	d.last = max(d.last+1, time.Now().Unix()/30-1)
	h := hmac.New(sha1.New, d.seed)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(d.last)))
	sum := h.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & (1<<31 - 1)
	return fmt.Sprintf("%06d", n%1_000_000)
}
