package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/policy"
)

// TestLargeMessage: what does not fit into a header is left out, the decision last.
func TestLargeMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noise := func(n int) string {
		var b bytes.Buffer
		for i := range n {
			sum := sha256.Sum256(fmt.Append(nil, i))
			b.WriteString(hex.EncodeToString(sum[:]))
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		keys, why, resource int
		kept                []string
	}{
		"small": {1, 1, 1, []string{`"key":"k"`, `"explanation":"5f`, "thing/5f"}},
		"keys": {200, 1, 1, []string{`"explanation":"5f`, "thing/5f",
			`"conditions":{"items":[]}`}},
		"explanation": {200, 200, 1, []string{`"explanation":"5f`, "thing/5f"}},
		"resource":    {200, 200, 200, []string{`"explanation":"5f`, "thing/5f"}},
	} {
		r := &policy.Request{Principal: user(home, "alice"), Action: "toy:Put",
			ResourceAccount: abroad,
			Resource:        "arn:aws:toy:" + here + ":" + abroad + ":thing/" + noise(c.resource)}
		text, err := w.gw.sealMessage(r, &policy.Decision{}, noise(c.why),
			conditions{"k": {noise(c.keys)}})
		if err != nil || len(text) > maxSealed {
			t.Errorf("%s: %d, %v", name, len(text), err)
			continue
		}
		plain, err := OpenMessage(w.db, abroad, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, s := range c.kept {
			if !strings.Contains(plain, s) {
				t.Errorf("%s: no %s in %.300s", name, s, plain)
			}
		}
		if _, err := OpenMessage(w.db, home, text); err != ErrMessage {
			t.Errorf("%s: opened by another account: %v", name, err)
		}
	}
}

// FuzzOpenMessage: no text opens, and none breaks the parser.
func FuzzOpenMessage(f *testing.F) {
	w := newWorld(f)
	r := &policy.Request{Principal: user(home, "alice"), Action: "toy:Put", Resource: "*"}
	good, err := w.gw.sealMessage(r, &policy.Decision{}, "why", conditions{})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "A", good, good[:40], strings.Repeat("_", 10240)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := OpenMessage(w.db, home, text); text != good && err != ErrMessage {
			t.Errorf("%q: %v", text, err)
		}
	})
}
