package telemetry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync/atomic"
)

// Names hides the names that users gave, of people and of things, in a log: each is
// written as a digest, by which lines about the same thing are found and nobody learns
// the name. The texts of errors may repeat a name all the same. The zero value is ready.
type Names struct {
	digest atomic.Pointer[func(name string) string]
}

// named are the attributes that hold such names, in whatever group.
var named = []string{
	"by", "user", "vhost", "name", "queue", "exchange", "policy", "parameter",
	"client_name", "consumer_tag", "source", "destination",
}

// Use sets the digest, which gives the same for a name in every process. Until then names
// are digested under a key of this process.
func (n *Names) Use(digest func(name string) string) { n.digest.Store(&digest) }

// hide is a ReplaceAttr of slog.
func (n *Names) hide(_ []string, a slog.Attr) slog.Attr {
	if !slices.Contains(named, a.Key) ||
		a.Value.Kind() != slog.KindString || a.Value.String() == "" {
		return a
	}
	digest := n.digest.Load()
	if digest == nil {
		own := ownDigest()
		n.digest.CompareAndSwap(nil, &own)
		digest = n.digest.Load()
	}
	a.Value = slog.StringValue("~" + (*digest)(a.Value.String()))
	return a
}

func ownDigest() func(string) string {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return func(name string) string {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(name))
		return hex.EncodeToString(m.Sum(nil)[:8])
	}
}
