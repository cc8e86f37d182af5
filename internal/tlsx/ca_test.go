package tlsx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// TestCA stores an authority and loads it again: what the old one signed, the
// loaded one's pool trusts, and the other way round.
func TestCA(t *testing.T) {
	t.Parallel()
	ca := newCA(t, epoch)
	key, err := ca.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadCA(ca.PEM(), key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loaded.PrivateKey()
	if err != nil || !bytes.Equal(key, again) || !bytes.Equal(ca.PEM(), loaded.PEM()) {
		t.Errorf("not the same after loading: %v", err)
	}
	if !strings.HasPrefix(ca.String(), "Coffer internal CA ") {
		t.Errorf("name %q", ca)
	}
	if years := ca.NotAfter().Sub(epoch).Hours() / 24 / 365; years < 10 || years > 10.1 {
		t.Errorf("valid for %.2f years", years)
	}
	if bytes.Contains(ca.PEM(), []byte("PRIVATE")) {
		t.Error("ca.pem holds a key")
	}
}

// TestLoadCA refuses what does not belong together.
func TestLoadCA(t *testing.T) {
	t.Parallel()
	ca, other := newCA(t, epoch), newCA(t, epoch)
	key, err := other.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ cert, key []byte }{
		"another's key":  {ca.PEM(), key},
		"no certificate": {nil, key},
		"no key":         {other.PEM(), nil},
		"cut key":        {other.PEM(), key[:len(key)-1]},
		"cut PEM":        {other.PEM()[:100], key},
	} {
		if _, err := LoadCA(c.cert, c.key); err == nil {
			t.Errorf("%s: loaded", name)
		} else if strings.Contains(err.Error(), string(key)) {
			t.Errorf("%s: the error holds the key", name)
		}
	}
}

// TestRedacted prints an authority in every way and looks for its key.
func TestRedacted(t *testing.T) {
	t.Parallel()
	ca := newCA(t, epoch)
	raw, err := ca.key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secret := new(big.Int).SetBytes(raw).String()
	encoded, err := json.Marshal(ca)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", ca, ca, ca, ca), string(encoded), ca.LogValue().String(),
	} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", raw)) {
			t.Errorf("%q shows the key", text)
		}
		if !strings.Contains(text, "Coffer internal CA") {
			t.Errorf("%q lacks the name", text)
		}
	}
}
