package sts

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/sigv4"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store/memory"
)

// TestTokenAttacks: a token is worth something only as it was given, with its
// access key and secret, in its store and in its time.
func TestTokenAttacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust("arn:aws:iam::"+home+":user/alice", ""))
	alice := w.as("AKIAALICE")
	in := &api.AssumeRoleInput{RoleArn: w.roles[home+"/r"].ARN}
	a, b := w.assume(alice, in).Credentials, w.assume(alice, in).Credentials
	good := keyOf(a)
	sound := func(k sigv4.Key) string {
		return w.whoami(api.Client{Caller: &caller{w, k}})
	}
	if got := sound(good); !strings.HasSuffix(got, ":assumed-role/r/s1") {
		t.Fatal(got)
	}
	for name, change := range map[string]func(*sigv4.Key){
		"InvalidClientTokenId: none": func(k *sigv4.Key) { k.SessionToken = "" },
		"InvalidClientTokenId: cut": func(k *sigv4.Key) {
			k.SessionToken = k.SessionToken[:80]
		},
		"InvalidClientTokenId: one less": func(k *sigv4.Key) {
			k.SessionToken = k.SessionToken[1:]
		},
		"InvalidClientTokenId: one more": func(k *sigv4.Key) { k.SessionToken += "A" },
		"InvalidClientTokenId: twice":    func(k *sigv4.Key) { k.SessionToken += k.SessionToken },
		"InvalidClientTokenId: huge": func(k *sigv4.Key) {
			k.SessionToken = strings.Repeat("A", 900<<10)
		},
		"InvalidClientTokenId: other's":   func(k *sigv4.Key) { k.SessionToken = b.SessionToken },
		"InvalidClientTokenId: other key": func(k *sigv4.Key) { k.AccessKeyID = b.AccessKeyId },
		"InvalidClientTokenId: long-term": func(k *sigv4.Key) { k.AccessKeyID = "AKIAALICE" },
		"InvalidClientTokenId: no base64": func(k *sigv4.Key) { k.SessionToken = "{}" },
		"SignatureDoesNotMatch: no secret": func(k *sigv4.Key) {
			k.Secret = sigv4.NewSecret("secret")
		},
		"SignatureDoesNotMatch: other's secret": func(k *sigv4.Key) {
			k.Secret = sigv4.NewSecret(b.SecretAccessKey)
		},
	} {
		k := good
		change(&k)
		if got := sound(k); got != name[:strings.Index(name, ":")] {
			t.Errorf("%s: %s", name, got)
		}
	}
	other := newWorld(t) // of another platform key
	got := other.whoami(api.Client{Caller: &caller{other, good}})
	if got != "InvalidClientTokenId" {
		t.Errorf("another store: %s", got)
	}
	w.pass(time.Hour - time.Second)
	if got := sound(good); !strings.HasSuffix(got, "/s1") {
		t.Errorf("at the end of its time: %s", got)
	}
	w.pass(time.Second)
	if got := sound(good); got != "ExpiredToken" {
		t.Errorf("past its time: %s", got)
	}
}

// TestTokenBits: no bit of a token can be changed.
func TestTokenBits(t *testing.T) {
	t.Parallel()
	platform := platformKey(t)
	token, err := sealToken(platform, "ASIAX", &session{Kind: ofRole, Account: home})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			_, err := openToken(platform, "ASIAX", base64.StdEncoding.EncodeToString(raw))
			if !errors.Is(err, errToken) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
			raw[i] ^= 1 << bit
		}
	}
	if _, err := openToken(platform, "ASIAX", token); err != nil {
		t.Error(err)
	}
}

func platformKey(t testing.TB) *seal.Epochs {
	t.Helper()
	shard, err := memory.New(memory.Config{Shards: 1}).Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(t.Context(), shard, bytes.Repeat([]byte{7}, 32), control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return db.Platform()
}

// TestAccessKeyID: the name of a session's key tells its account, as AWS's do.
func TestAccessKeyID(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"000000000000", "000000000001", home, "999999999999"} {
		a, err := newAccessKeyID(account)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newAccessKeyID(account)
		if got, ok := accountOf(a); err != nil || !ok || got != account || a == b || len(a) != 20 {
			t.Errorf("%s: %s, %s, %v, %v", account, a, got, ok, err)
		}
	}
	if _, err := newAccessKeyID("nobody"); err == nil {
		t.Error("an account that is no number")
	}
}

// FuzzOpenToken: no bytes open as a token, and none break the parser.
func FuzzOpenToken(f *testing.F) {
	platform := platformKey(f)
	token, err := sealToken(platform, "ASIAX", &session{Kind: ofRole, Account: home})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "A", token, token[:40], strings.Repeat("/", 9000)} {
		f.Add("ASIAX", seed)
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, id, text string) {
		s, err := openToken(platform, id, text)
		if id == "ASIAX" && text == token {
			return
		}
		if s != nil || !errors.Is(err, errToken) {
			t.Errorf("%q with %q: %+v, %v", id, text, s, err)
		}
	})
}

// FuzzUnpackSession: what is under the seal breaks nothing either.
func FuzzUnpackSession(f *testing.F) {
	for _, text := range []string{`{}`, `{"v":1,"k":"role","t":[{"k":"a","v":"b"}]}`, `{"v":2}`} {
		packed, err := pack([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		s, err := unpackSession(packed)
		if (s == nil) == (err == nil) || s != nil && s.Version != tokenVersion {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
