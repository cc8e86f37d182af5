package rabbitmq

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"coffer/internal/fault"
)

// Parameters of argon2id; the second choice of RFC 9106 cut to the memory that
// OWASP's password storage cheat sheet asks for at two passes.
const (
	argonPasses  = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32

	maxHashing    = 2    // hashes at once: each takes 19 MiB and a core
	maxRemembered = 4096 // verified passwords kept as an HMAC
	maxPassword   = 4096 // bytes; longer ones are wrong without hashing
)

// Hasher hashes and verifies passwords. A verified password is remembered as
// an HMAC under a key of this process, so that many connections of one user
// hash once. It is safe for concurrent use.
type Hasher struct {
	slots   chan struct{}
	key     [32]byte
	derived atomic.Int64 // hashes that were computed

	mu        sync.Mutex
	seen      map[[32]byte]struct{} // HMAC of stored hash and password
	collected time.Time             // when memory was last asked back
	collect   *time.Timer           // when it will be; nil: not at all
}

// NewHasher makes a Hasher with its own key.
func NewHasher() *Hasher {
	h := &Hasher{slots: make(chan struct{}, maxHashing), seen: map[[32]byte]struct{}{}}
	rand.Read(h.key[:]) // never fails: crypto/rand aborts the process instead
	return h
}

// Derived is the number of hashes that were computed so far: passwords that were not
// remembered, and wrong ones.
func (h *Hasher) Derived() int64 { return h.derived.Load() }

// decoy looks like the hash of a password and is that of none: verifying against
// it takes as long, and making it takes nothing.
func decoy() string {
	b := make([]byte, argonSalt+argonKey)
	rand.Read(b)
	return format(b[:argonSalt], b[argonSalt:])
}

func format(salt, key []byte) string {
	enc := base64.RawStdEncoding
	return "argon2id$" + enc.EncodeToString(salt) + "$" + enc.EncodeToString(key)
}

// Hash gives "argon2id$" + base64(salt) + "$" + base64(key). It waits for one
// of two places.
func (h *Hasher) Hash(ctx context.Context, password []byte) (string, error) {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	done, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return format(salt, h.derive(password, salt)), nil
}

// Verify reports whether password is the one that hash was made of. The time
// it takes does not tell how much of it was right.
func (h *Hasher) Verify(ctx context.Context, hash string, password []byte) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	if strings.HasPrefix(hash, foreignPrefix) {
		return h.foreign(ctx, hash, password)
	}
	mark := h.mark(hash, password)
	if h.knows(mark) {
		return true, nil
	}
	salt, want, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	done, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	if h.knows(mark) { // all connections of an application come at once
		return true, nil
	}
	if subtle.ConstantTimeCompare(h.derive(password, salt), want) != 1 {
		return false, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) >= maxRemembered {
		clear(h.seen)
	}
	h.seen[mark] = struct{}{}
	return true, nil
}

func (h *Hasher) knows(mark [32]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.seen[mark]
	return ok
}

func (h *Hasher) mark(hash string, password []byte) (m [32]byte) {
	mac := hmac.New(sha256.New, h.key[:])
	mac.Write([]byte(hash))
	mac.Write([]byte{0})
	mac.Write(password)
	mac.Sum(m[:0])
	return m
}

// enter waits for one of the two places to hash, which done gives back.
func (h *Hasher) enter(ctx context.Context) (done func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "too many sign-ins at once")
	}
}

func (h *Hasher) derive(password, salt []byte) []byte {
	h.derived.Add(1)
	defer h.letGo()
	return argon2.IDKey(password, salt, argonPasses, argonMemory, argonThreads, argonKey)
}

// collectEvery bounds how often sign-ins ask for a garbage collection.
const collectEvery = time.Second

// letGo has the memory of a hash collected and returned soon. A collection that meets it in use
// counts it as live, and lets the heap grow to twice that before the next, which in a
// broker that allocates little may be long after.
func (h *Hasher) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.collect != nil {
		return
	}
	h.collect = time.AfterFunc(time.Until(h.collected.Add(collectEvery)), func() {
		h.mu.Lock()
		h.collect, h.collected = nil, time.Now()
		h.mu.Unlock()
		debug.FreeOSMemory()
	})
}

func parseHash(hash string) (salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 3 || parts[0] != "argon2id" {
		return nil, nil, fmt.Errorf("password hash of an unknown kind")
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[1]); err == nil {
		key, err = base64.RawStdEncoding.DecodeString(parts[2])
	}
	if err != nil || len(key) != argonKey || len(salt) == 0 {
		return nil, nil, fmt.Errorf("password hash is damaged")
	}
	return salt, key, nil
}
