package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
)

const defaultMaxKeys = 1024

// derived is a signing key: of one access key, day, region and service.
type derived [sha256.Size]byte

// derive takes four HMACs; a cached key takes none.
func derive(secret Secret, c *Claim) derived {
	key := mac([]byte("AWS4"+secret.Reveal()), c.day)
	for _, part := range []string{c.Region, c.Service, terminator} {
		key = mac(key, part)
	}
	return derived(key)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // never fails, by its contract
	return h.Sum(nil)
}

// keyCache holds at most limit derived keys. A key counts only while its
// access key still has the secret it was derived from.
type keyCache struct {
	limit int
	mu    sync.RWMutex
	keys  map[scope]cachedKey
}

type scope struct{ accessKeyID, day, region, service string }

type cachedKey struct {
	secret Secret
	key    derived
}

func (c *Claim) scope() scope { return scope{c.AccessKeyID, c.day, c.Region, c.Service} }

func (k *keyCache) get(secret Secret, c *Claim) (derived, bool) {
	k.mu.RLock()
	found, ok := k.keys[c.scope()]
	k.mu.RUnlock()
	same := subtle.ConstantTimeCompare([]byte(found.secret.key), []byte(secret.key)) == 1
	return found.key, ok && same
}

func (k *keyCache) put(secret Secret, c *Claim, key derived) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = make(map[scope]cachedKey)
	}
	_, replaces := k.keys[c.scope()]
	for old := range k.keys {
		if replaces || len(k.keys) < k.limit {
			break
		}
		delete(k.keys, old) // any one: deriving it again is cheap
	}
	k.keys[c.scope()] = cachedKey{secret, key}
}
