package kms

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// staff is a Directory: unique ids by ARN.
type staff map[string]string

var _ Directory = staff{}

func (s staff) UniqueIDs(_ context.Context, names []string) (map[string]string, error) {
	ids := map[string]string{}
	for _, name := range names {
		id, ok := s[name]
		if !ok {
			return nil, fault.New(fault.NotFound, "%s", name)
		}
		ids[name] = id
	}
	return ids, nil
}

func (s staff) PresentNames(_ context.Context, text string, ids map[string]string) (
	string, error,
) {
	for name, id := range ids {
		if s[name] != id {
			text = strings.ReplaceAll(text, name, id)
		}
	}
	return text, nil
}

// refused runs an operation that has to fail so.
func (w *world) refused(who, op string, in object, want string) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := w.do(who, op, string(body)); !strings.HasPrefix(got, "400 "+want) {
		w.t.Errorf("%s %s: %s, want %s", who, op, got, want)
	}
}

// TestMadeAnew: a key policy and a grant are for who was named. Who is made anew under
// the name of one who was deleted has nothing of them, and nobody can be named in advance.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := user(home, "alice")
	people := staff{alice.ARN: alice.UserID}
	w.svc.cfg.Directory = people
	key, granted := w.key("root", object{}), w.key("root", object{})
	naming := func(name string) object {
		return object{"KeyId": key, "Policy": `{"Statement":{"Effect":"Allow","Action":"kms:*",` +
			`"Resource":"*","Principal":{"AWS":["` + home + `","` + name + `"]}}}`}
	}
	grant := func(name string) object {
		return object{"KeyId": granted, "GranteePrincipal": name, "RetiringPrincipal": name,
			"Operations": []string{"Encrypt", "RetireGrant"}}
	}
	nobody := user(home, "nobody").ARN
	w.refused("root", "PutKeyPolicy", naming(nobody), "MalformedPolicyDocumentException: Policy "+
		"contains a statement with one or more invalid principals.")
	w.refused("root", "CreateKey", object{"Policy": naming(nobody)["Policy"]},
		"MalformedPolicyDocumentException: ")
	w.refused("root", "CreateGrant", grant(nobody),
		"InvalidArnException: ARN does not refer to a valid principal: "+nobody)
	w.must("root", "PutKeyPolicy", naming(alice.ARN), nil)
	var made struct{ GrantId string }
	w.must("root", "CreateGrant", grant(alice.ARN), &made)
	for _, name := range []string{key, granted} {
		w.must("alice", "Encrypt", object{"KeyId": name, "Plaintext": "YQ=="}, nil)
	}
	anew := alice
	anew.UserID = "AIDAANEW"
	people[alice.ARN] = anew.UserID
	w.people["alice"] = person(t, anew, allowRelay)
	for _, name := range []string{key, granted} {
		w.refused("alice", "Encrypt", object{"KeyId": name, "Plaintext": "YQ=="},
			"AccessDeniedException: ")
	}
	w.refused("alice", "RetireGrant", object{"KeyId": granted, "GrantId": made.GrantId},
		"AccessDeniedException: ")
	var shown struct{ Policy string }
	w.must("root", "GetKeyPolicy", object{"KeyId": key}, &shown)
	if want := naming(alice.UserID)["Policy"]; shown.Policy != want {
		t.Errorf("shown %s", shown.Policy)
	}
	w.must("root", "PutKeyPolicy", naming(alice.ARN), nil)
	w.must("alice", "Encrypt", object{"KeyId": key, "Plaintext": "YQ=="}, nil)
}
