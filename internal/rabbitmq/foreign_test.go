package rabbitmq

import (
	"encoding/base64"
	"testing"

	"coffer/internal/fault"
)

// documented is the hash of "test12" that RabbitMQ's documentation of passwords
// computes by hand.
const documented = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"

// TestForeignHashes: hashes that RabbitMQ made open for their password, and stay as they
// came; damaged ones open for none.
func TestForeignHashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ctx := t.Context()
	salted := func(algorithm string) string {
		salt := []byte{1, 2, 3, 4}
		d := digest(algorithm, salt, []byte("test12"))
		return base64.StdEncoding.EncodeToString(append(salt, d...))
	}
	for name, u := range map[string]UserSpec{
		"documented": {Hash: documented}, "named": {Hash: documented, Algorithm: hashSHA256},
		"sha512": {Hash: salted(hashSHA512), Algorithm: hashSHA512},
		"md5":    {Hash: salted(hashMD5), Algorithm: hashMD5},
	} {
		u.Name = name
		_, err := b.PutUser(ctx, u)
		must(t, err)
		must(t, b.Authenticate(ctx, name, []byte("test12")))
		for _, wrong := range []string{"", "test1", "test12\x00", "\x01\x02\x03\x04test12"} {
			err := b.Authenticate(ctx, name, []byte(wrong))
			refused(t, err, fault.Unauthenticated, "invalid credentials")
		}
		if i, _ := b.User(name); i.Hash != u.Hash || i.Argon2id != "" {
			t.Errorf("%s is shown as %+v", name, i)
		}
	}
	for name, u := range map[string]UserSpec{
		"other":  {Hash: documented, Algorithm: hashMD5},
		"short":  {Hash: "AAAA"},
		"salt":   {Hash: "AAAAAA=="},
		"longer": {Hash: documented[:len(documented)-4] + "AAAAAAAA"},
	} {
		u.Name = name
		_, err := b.PutUser(ctx, u)
		must(t, err)
		for _, password := range []string{"test12", "", "AAAA"} {
			err := b.Authenticate(ctx, name, []byte(password))
			refused(t, err, fault.Unauthenticated, "invalid credentials")
		}
	}
	// On demand a password is kept so that RabbitMQ can check it.
	_, err := b.PutUser(ctx, UserSpec{Name: "demand", Password: []byte("p"), Algorithm: hashSHA256})
	must(t, err)
	must(t, b.Authenticate(ctx, "demand", []byte("p")))
	if i, _ := b.User("demand"); len(i.Hash) != len(documented) {
		t.Errorf("kept as %+v", i)
	}
	_, err = b.PutUser(ctx, UserSpec{Name: "demand", Password: []byte("p"), Algorithm: "foo"})
	refused(t, err, fault.Invalid, "unknown hashing algorithm: foo")
}
