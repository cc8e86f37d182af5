package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/control"
)

// crowd makes one grant to alice that permits CreateGrant, among many that do not.
func (w *world) crowd(n int) (name string) {
	w.t.Helper()
	w.svc.cfg.MaxGrants = n + 10
	name = w.key("root", object{})
	for i := range n + 1 {
		ops := []string{"Decrypt"}
		if i == n/2 {
			ops = []string{"Decrypt", "CreateGrant"}
		}
		w.must("root", "CreateGrant", object{"KeyId": name, "Operations": ops,
			"GranteePrincipal": "arn:aws:iam::" + home + ":user/alice"}, nil)
	}
	return name
}

func onward(name string) object {
	return object{"KeyId": name, "Operations": []string{"Decrypt"}, "DryRun": true,
		"GranteePrincipal": "arn:aws:iam::" + home + ":user/bob"}
}

// TestGrantIndex: of a grantee's many grants those are read that may have the
// operation, and a few others; rows of older programs, which do not tell, all.
func TestGrantIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.crowd(3 * maxOthers)
	alice := user(home, "alice").ARN
	read := func(op string) (n int) {
		t.Helper()
		err := w.svc.view(t.Context(), func(tx *control.Tx) error {
			return eachGrantOf(tx, idOf(name), alice, op, func(*grant) error { n++; return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	check := func(decrypt, create, verify int) {
		t.Helper()
		if a, b, c := read("Decrypt"), read("CreateGrant"), read("Verify"); a != decrypt ||
			b != create || c != verify {
			t.Errorf("read %d, %d and %d grants, want %d, %d and %d", a, b, c, decrypt, create,
				verify)
		}
		w.refused("alice", "CreateGrant", onward(name), "DryRunOperationException")
		w.refused("alice", "Encrypt", object{"KeyId": name, "Plaintext": "YQ=="},
			"AccessDeniedException")
	}
	check(3*maxOthers+1, maxOthers+1, maxOthers)
	err := w.svc.update(context.Background(), func(tx *control.Tx) error {
		return tx.Scan(control.TableGrantIndex, []byte{grantByGrantee}, func(id, _ []byte) error {
			tx.Put(control.TableGrantIndex, bytes.Clone(id), nil)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	check(3*maxOthers+1, 3*maxOthers+1, 3*maxOthers+1)
}

// TestGrantOperations: the index has a bit for each operation of the model.
func TestGrantOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	in := onward(name)
	in["Operations"] = []string{"None"}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	got := w.do("root", "CreateGrant", string(body))
	if want := "[" + strings.Join(grantOperations, ", ") + "]"; !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// BenchmarkCreateGrantOfMany is CreateGrant by who is grantee of this many grants.
func BenchmarkCreateGrantOfMany(b *testing.B) {
	for _, n := range []int{10, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			name := w.crowd(n)
			body, err := json.Marshal(onward(name))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				got := w.do("alice", "CreateGrant", string(body))
				if !strings.Contains(got, "DryRun") {
					b.Fatal(got)
				}
			}
		})
	}
}
