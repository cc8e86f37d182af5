package rabbitmq

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"coffer/internal/fault"
)

// RabbitMQ's names of the ways in which it keeps passwords: a digest of a salt and the
// password. It is weaker than argon2id; such hashes are taken over, and made on demand.
const (
	foreignPrefix = "rabbit_"

	hashSHA256 = "rabbit_password_hashing_sha256"
	hashSHA512 = "rabbit_password_hashing_sha512"
	hashMD5    = "rabbit_password_hashing_md5"
)

const foreignSalt = 4 // bytes before the digest

// digest gives the digest of salt and password; nil for an unknown algorithm.
func digest(algorithm string, salt, password []byte) []byte {
	text := append(append([]byte{}, salt...), password...)
	defer clear(text)
	switch algorithm {
	case hashSHA256:
		d := sha256.Sum256(text)
		return d[:]
	case hashSHA512:
		d := sha512.Sum512(text)
		return d[:]
	case hashMD5:
		var d [md5.Size]byte // RabbitMQ's choice of old, also under GODEBUG=fips140=only
		fips140.WithoutEnforcement(func() { d = md5.Sum(text) })
		return d[:]
	}
	return nil
}

// checkHash checks a hash that RabbitMQ made; without an algorithm it is the default.
func checkHash(hash, algorithm string) (string, string, error) {
	if algorithm == "" {
		algorithm = hashSHA256
	}
	if digest(algorithm, nil, nil) == nil {
		return "", "", fault.New(fault.Invalid, "unknown hashing algorithm: %s", algorithm)
	}
	if _, err := base64.StdEncoding.DecodeString(hash); err != nil {
		return "", "", fault.New(fault.Invalid, "password hash is not base64")
	}
	return hash, algorithm, nil
}

// keep gives what is stored of a password: the hash and RabbitMQ's algorithm, "" for
// argon2id. An empty password signs nobody in.
func (h *Hasher) keep(ctx context.Context, password []byte, algorithm string) (
	hash, kept string, err error,
) {
	switch {
	case len(password) == 0:
		return "", "", nil
	case len(password) > maxPassword:
		return "", "", fault.New(fault.Invalid, "a password is longer than %d bytes", maxPassword)
	case algorithm == "":
		hash, err = h.Hash(ctx, password)
		return hash, "", err
	}
	salt := make([]byte, foreignSalt)
	rand.Read(salt)
	d := digest(algorithm, salt, password)
	if d == nil {
		return "", "", fault.New(fault.Invalid, "unknown hashing algorithm: %s", algorithm)
	}
	return base64.StdEncoding.EncodeToString(append(salt, d...)), algorithm, nil
}

// foreign reports whether password is the one of "algorithm$base64" of RabbitMQ. A
// wrong one takes as long as with argon2id, so that refusals do not tell users apart.
func (h *Hasher) foreign(ctx context.Context, hash string, password []byte) (bool, error) {
	algorithm, text, _ := strings.Cut(hash, "$")
	b, err := base64.StdEncoding.DecodeString(text)
	if err == nil && len(b) > foreignSalt {
		d := digest(algorithm, b[:foreignSalt], password)
		if d != nil && subtle.ConstantTimeCompare(d, b[foreignSalt:]) == 1 {
			return true, nil
		}
	}
	done, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	h.derive(password, make([]byte, argonSalt))
	return false, nil
}
