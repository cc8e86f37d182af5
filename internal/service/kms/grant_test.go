package kms

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

func jsonOf(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestGrantPages walks lists longer than a page and alters their markers.
func TestGrantPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	made := map[string]bool{}
	for i := range 40 {
		var g struct{ GrantId string }
		w.must("root", "CreateGrant", object{
			"KeyId": name, "GranteePrincipal": "mq.amazonaws.com",
			"RetiringPrincipal": fmt.Sprintf("arn:aws:iam::%s:role/%d", home, i%2),
			"Operations":        []string{"Decrypt"},
		}, &g)
		made[g.GrantId] = true
	}
	over := w.do("root", "CreateGrant", `{"KeyId":"`+name+`","Operations":["Decrypt"],`+
		`"GranteePrincipal":"mq.amazonaws.com"}`)
	if !strings.HasPrefix(over, "400 LimitExceededException") {
		t.Errorf("grant 41 of 40: %s", over)
	}
	one := "arn:aws:iam::" + home + ":role/1"
	lists := map[string]object{
		"ListGrants":          {"KeyId": name, "Limit": 7},
		"ListRetirableGrants": {"RetiringPrincipal": one, "Limit": 7},
	}
	for op, in := range lists {
		seen := w.pages(op, in, 7)
		want := 40
		if op == "ListRetirableGrants" {
			want = 20
		}
		if len(seen) != want {
			t.Errorf("%s: %d grants", op, len(seen))
		}
		for _, id := range seen {
			if !made[id] {
				t.Errorf("%s: grant %s was never made", op, id)
			}
		}
	}
}

type grantPage struct {
	Grants     []struct{ GrantId string }
	NextMarker string
	Truncated  bool
}

// pages walks a list to its end and alters each marker on the way.
func (w *world) pages(op string, in object, size int) (ids []string) {
	w.t.Helper()
	for {
		var page grantPage
		w.must("root", op, in, &page)
		for _, g := range page.Grants {
			if slices.Contains(ids, g.GrantId) {
				w.t.Errorf("%s: grant %s twice", op, g.GrantId)
			}
			ids = append(ids, g.GrantId)
		}
		if len(page.Grants) > size || page.Truncated != (page.NextMarker != "") {
			w.t.Fatalf("%s: page of %d, truncated %v", op, len(page.Grants), page.Truncated)
		}
		if !page.Truncated {
			return ids
		}
		b, err := base64.RawURLEncoding.DecodeString(page.NextMarker)
		if err != nil {
			w.t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		in["Marker"] = base64.RawURLEncoding.EncodeToString(b)
		body, err := json.Marshal(in)
		if err != nil {
			w.t.Fatal(err)
		}
		if got := w.do("root", op, string(body)); !strings.Contains(got, "InvalidMarkerException") {
			w.t.Errorf("%s: altered marker: %s", op, got)
		}
		in["Marker"] = page.NextMarker
	}
}

// TestAlteredToken flips every byte of a grant token in turn.
func TestAlteredToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var g struct{ GrantToken string }
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com", "Operations": []string{"Decrypt"},
	}, &g)
	b, err := base64.RawURLEncoding.DecodeString(g.GrantToken)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 1
		got := w.do("root", "RetireGrant", fmt.Sprintf(`{"GrantToken":%q}`,
			base64.RawURLEncoding.EncodeToString(b)))
		if !strings.HasPrefix(got, "400 InvalidGrantTokenException") {
			t.Errorf("byte %d: %s", i, got)
		}
		b[i] ^= 1
	}
}

// TestNamelessGrant: a grant without a name is listed with an empty one, as the KMS
// developer guide shows ("Viewing grants"); Ansible reads it.
func TestNamelessGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com", "Operations": []string{"Decrypt"},
	}, nil)
	var out struct{ Grants []object }
	w.must("root", "ListGrants", object{"KeyId": name}, &out)
	if v, ok := out.Grants[0]["Name"]; !ok || v != "" {
		t.Errorf("%v", out.Grants)
	}
}

// TestIndexesGo: nothing stays behind of grants that ended.
func TestIndexesGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	before := w.rows(control.TableGrant, control.TableGrantIndex)
	for i := range 6 {
		var g struct{ GrantId, GrantToken string }
		w.must("root", "CreateGrant", object{
			"KeyId": name, "GranteePrincipal": "mq.amazonaws.com", "Name": fmt.Sprint("n", i),
			"Operations":        []string{"Decrypt"},
			"RetiringPrincipal": "arn:aws:iam::" + home + ":root",
			"Constraints": object{
				"EncryptionContextEquals": object{"a": "1", "b": "2", "c": "3"},
			},
		}, &g)
		if i%2 == 0 {
			w.must("root", "RevokeGrant", object{"KeyId": name, "GrantId": g.GrantId}, nil)
		} else {
			w.must("root", "RetireGrant", object{"GrantToken": g.GrantToken}, nil)
		}
	}
	if after := w.rows(control.TableGrant, control.TableGrantIndex); after != before {
		t.Errorf("%d rows, before %d", after, before)
	}
	w.editKey(name, func(_ *control.Tx, k *key) {
		if k.Grants != 0 {
			t.Errorf("the key counts %d grants", k.Grants)
		}
	})
}

// rows counts what tables of the package have.
func (w *world) rows(tables ...control.Table) (n int) {
	w.t.Helper()
	counts := w.tables()
	for _, t := range tables {
		n += counts[t]
	}
	return n
}

// TestFenceLifted: a change that fails after its fence lifts it and changes
// nothing.
func TestFenceLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	w.fences.take()
	broken := errors.New("broken")
	err := w.db.Update(context.Background(), func(_ context.Context, tx *control.Tx) error {
		k := &key{ID: name[strings.LastIndexByte(name, '/')+1:], Account: home, Region: here}
		w.svc.fence(t.Context(), tx, k, broken)
		k.State = stateDisabled
		if err := k.save(tx); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	want := []string{"fence " + name + ": broken", "lift " + name}
	if got := w.fences.take(); !slices.Equal(got, want) {
		t.Errorf("fences: %q", got)
	}
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": "aGk="}, nil)
}

// TestSourceArn: GRT-25: a grant to a service principal may be bound to one of its
// resources: it allows what the service does for that one, and a key policy can ask
// for the same.
func TestSourceArn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	const one = "arn:aws:mq:us-east-1:" + home + ":broker:one:b-1"
	const two = "arn:aws:mq:us-east-1:" + home + ":broker:two:b-2"
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteeServicePrincipal": "mq.amazonaws.com",
		"RetiringServicePrincipal": "mq.amazonaws.com",
		"Operations":               []string{"Encrypt", "CreateGrant"},
		"Constraints":              object{"SourceArn": one},
	}, nil)
	as := func(source, op, in string) string {
		return callAs(t.Context(), &gateway.Caller{
			Gateway: w.gw, Service: "mq.amazonaws.com", Account: home, Region: here,
			SourceARN: source,
		}, op, in)
	}
	encrypt := `{"KeyId":"` + name + `","Plaintext":"aGk="}`
	child := `{"KeyId":"` + name + `","GranteeServicePrincipal":"mq.amazonaws.com",` +
		`"Operations":["Encrypt"]`
	for _, try := range []struct {
		source, op, in string
		allowed        bool
	}{
		{one, "Encrypt", encrypt, true}, {two, "Encrypt", encrypt, false},
		{"", "Encrypt", encrypt, false}, {"no ARN", "Encrypt", encrypt, false},
		{one, "CreateGrant", child + `}`, false}, // wider: it would have no constraint
		{one, "CreateGrant", child + `,"Constraints":{"SourceArn":"` + two + `"}}`, false},
		{one, "CreateGrant", child + `,"Constraints":{"SourceArn":"` + one + `"}}`, true},
		{two, "CreateGrant", child + `,"Constraints":{"SourceArn":"` + one + `"}}`, false},
	} {
		got := as(try.source, try.op, try.in)
		if strings.HasPrefix(got, "200") != try.allowed {
			t.Errorf("%s for %q: %s", try.op, try.source, got)
		}
	}
	w.must("root", "PutKeyPolicy", object{"KeyId": name, "Policy": document("p", statement{
		Effect: "Allow", Principal: rootOf(home), Action: "kms:*", Resource: "*",
	}, statement{
		Effect: "Allow", Principal: map[string]string{"Service": "mq.amazonaws.com"},
		Action: "kms:Encrypt", Resource: "*",
		Condition: map[string]map[string]string{"StringEquals": {
			"aws:SourceArn": two, "aws:SourceAccount": home,
		}},
	})}, nil)
	if got := as(two, "Encrypt", encrypt); !strings.HasPrefix(got, "200") {
		t.Errorf("by the policy: %s", got)
	}
}
