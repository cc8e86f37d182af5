package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
)

// own is an API with the operations that AWS has not, as Coffer's has them.
type own struct{ w *world }

type ownInput struct {
	Key   string `aws:"Key,"`
	Grant string `aws:"Grant,"`
}

type ownOutput struct {
	Answer string `aws:"Answer,"`
}

func (o *own) Access(ctx context.Context, op *wire.Op, in any) ([]gateway.Check, error) {
	i := in.(*ownInput)
	switch op.Name {
	case "Suspend":
		return o.w.svc.SuspendChecks(ctx, i.Key)
	case "Resume":
		return o.w.svc.ResumeChecks(ctx, i.Key, i.Grant)
	}
	return o.w.svc.UsageChecks(ctx, i.Key)
}

func (o *own) Suspend(ctx context.Context, in *ownInput) (*ownOutput, error) {
	return &ownOutput{}, o.w.svc.SuspendGrant(ctx, in.Key, in.Grant)
}

func (o *own) Resume(ctx context.Context, in *ownInput) (*ownOutput, error) {
	return &ownOutput{}, o.w.svc.ResumeGrant(ctx, in.Key, in.Grant)
}

func (o *own) ListUsage(ctx context.Context, in *ownInput) (*ownOutput, error) {
	u, err := o.w.svc.Usage(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(u)
	return &ownOutput{string(text)}, err
}

func ownAPI() *wire.API {
	op := func(name string) wire.Op { return wire.Op{Name: name, Method: "POST", URI: "/"} }
	usage := op("ListUsage")
	usage.ReadOnly = true
	return &wire.API{
		Name: "own", Protocol: "json", JSONVersion: "1.1", TargetPrefix: "Own",
		SigningName: "own", EndpointPrefix: "own", ActionPrefix: "own",
		EventSource: "own.internal",
		Ops: []wire.Op{
			wire.Method(usage, (*own).ListUsage), wire.Method(op("Resume"), (*own).Resume),
			wire.Method(op("Suspend"), (*own).Suspend),
		},
	}
}

// own runs one of them: "200 {…}" or the answer.
func (w *world) own(who, op, key, grant string) string {
	w.t.Helper()
	status, out := w.post(who, here, "own", "Own."+op, fmt.Sprintf(`{"Key":%q,"Grant":%q}`, key,
		grant))
	return fmt.Sprint(status, " ", out)
}

// TestSuspend: D-06: a suspended grant allows nothing, is listed, can be retired
// and stands for its name; who may revoke it may suspend it, and who could make it
// may resume it.
func TestSuspend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var g, again struct{ GrantId string }
	grant := object{
		"KeyId": name, "GranteePrincipal": someUser, "Name": "n",
		"Operations": []string{"Encrypt", "CreateGrant"},
	}
	w.must("root", "CreateGrant", grant, &g)
	encrypt := `{"KeyId":"` + name + `","Plaintext":"aGk="}`
	child := `{"KeyId":"` + name + `","GranteePrincipal":"mq.amazonaws.com",` +
		`"Operations":["Encrypt"]}`
	allowed := func(want string) {
		t.Helper()
		for op, in := range map[string]string{"Encrypt": encrypt, "CreateGrant": child} {
			if got := w.do("alice", op, in); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", op, got, want)
			}
		}
	}
	allowed("200")
	w.fences.take()
	for _, who := range []string{"alice", "carol", "other"} {
		got := w.own(who, "Suspend", name, g.GrantId)
		if !strings.Contains(got, "kms:RevokeGrant") {
			t.Errorf("%s suspends: %s", who, got)
		}
	}
	if len(w.fences.take()) != 0 {
		t.Error("a refused suspension fenced")
	}
	for range 2 { // again changes nothing
		if got := w.own("root", "Suspend", name, g.GrantId); !strings.HasPrefix(got, "200") {
			t.Error(got)
		}
	}
	if got := w.fences.take(); len(got) != 2 ||
		!strings.HasPrefix(got[0], "fence "+g.GrantId+" of "+name+": A grant on ") {
		t.Errorf("fences %v", got)
	}
	allowed("400 AccessDeniedException")
	w.must("root", "CreateGrant", grant, &again)
	list := w.do("root", "ListGrants", `{"KeyId":"`+name+`","GranteePrincipal":"`+someUser+`"}`)
	if again.GrantId != g.GrantId || strings.Count(list, g.GrantId) != 1 {
		t.Errorf("made again: %s; listed %s", again.GrantId, list)
	}
	allowed("400 AccessDeniedException")
	if got := w.own("alice", "Resume", name, g.GrantId); !strings.Contains(got, "kms:CreateGrant") {
		t.Errorf("alice resumes: %s", got)
	}
	w.fences.take()
	for range 2 {
		if got := w.own("bob", "Resume", name, g.GrantId); !strings.HasPrefix(got, "200") {
			t.Error(got)
		}
	}
	if got := w.fences.take(); len(got) != 1 || got[0] != "recheck "+name {
		t.Errorf("fences %v", got)
	}
	allowed("200")
	w.own("root", "Suspend", name, g.GrantId)
	w.must("root", "RevokeGrant", object{"KeyId": name, "GrantId": g.GrantId}, nil)
	got := w.own("root", "Resume", name, g.GrantId)
	if !strings.Contains(got, "NotFoundException") {
		t.Errorf("resumed what was revoked: %s", got)
	}
}

// TestResumeIsMaking: D-06: a policy that denies making such a grant denies
// resuming it; on a key that AWS manages, whose policy lets only the service make
// grants, who may suspend may resume.
func TestResumeIsMaking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var g struct{ GrantId string }
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": someUser, "Operations": []string{"Encrypt"},
	}, &g)
	w.own("root", "Suspend", name, g.GrantId)
	got := w.own("root", "ListUsage", name, "")
	if !strings.Contains(got, `\"Suspended\":\"2026-01-02T03:04:05Z\"`) {
		t.Errorf("usage: %s", got)
	}
	w.must("root", "PutKeyPolicy", object{"KeyId": name, "Policy": denying(decided{
		key: "kms:GranteePrincipal", value: someUser, op: "CreateGrant",
	})}, nil)
	if got := w.own("root", "Resume", name, g.GrantId); !strings.Contains(got, "explicit deny") {
		t.Error(got)
	}
	managed, err := w.svc.EnsureManaged(t.Context(), home, here, "mq")
	if err != nil {
		t.Fatal(err)
	}
	made := w.do("root via mq", "CreateGrant", `{"KeyId":"`+managed+`","GranteePrincipal":`+
		`"mq.amazonaws.com","Operations":["Decrypt"]}`)
	if err := json.Unmarshal([]byte(strings.TrimPrefix(made, "200 ")), &g); err != nil {
		t.Fatal(made, err)
	}
	for _, op := range []string{"Suspend", "Resume"} {
		if got := w.own("root", op, managed, g.GrantId); !strings.HasPrefix(got, "200") {
			t.Errorf("%s: %s", op, got)
		}
		if got := w.own("other", op, managed, g.GrantId); !strings.HasPrefix(got, "400") {
			t.Errorf("%s by another account: %s", op, got)
		}
	}
	owned, err := w.svc.EnsureOwned(t.Context(), "mq", here)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.own("root", "ListUsage", owned, ""); !strings.Contains(got, "AccessDenied") {
		t.Errorf("usage of a key that AWS owns: %s", got)
	}
}
