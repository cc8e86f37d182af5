package audit

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func sample(t *testing.T, name string) (raw []byte, e *Event) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	e = &Event{}
	if err := d.Decode(e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return raw, e
}

func object(t *testing.T, v any) map[string]any {
	t.Helper()
	text, ok := v.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSamples: GRT-11. Every event that AWS's guides print goes through an Event
// without a field lost, added, renamed or of another type.
func TestSamples(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/event-*.json")
	if err != nil || len(names) != 5 {
		t.Fatalf("%d samples, %v", len(names), err)
	}
	for _, path := range names {
		raw, e := sample(t, filepath.Base(path))
		want, got := object(t, raw), object(t, e)
		if strings.Contains(path, "sqs") { // abridged: ours has more fields, but no other ones
			maps.DeleteFunc(got, func(name string, v any) bool { _, ok := want[name]; return !ok })
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%v\nwant\n%v", path, got, want)
		}
	}
}

// TestGrantEvent: GRT-08, GRT-10. An event as our services fill it has exactly
// the fields of the sample of an Amazon MQ grant, with the same types.
func TestGrantEvent(t *testing.T) {
	t.Parallel()
	raw, _ := sample(t, "event-mq-grant-single.json")
	const key = "arn:aws:kms:us-west-2:111122223333:key/6c8d5a3e-0000-4000-8000-000000000001"
	e := event(1, time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("", 3600)))
	e.EventSource, e.EventName, e.ReadOnly = "amazonmq.amazonaws.com", "CreateGrant", false
	e.SourceIPAddress, e.UserAgent, e.RequestID = "192.0.2.1", "aws-cli/2", "req"
	role := "arn:aws:iam::111122223333:role/Console"
	e.UserIdentity = Identity{
		Type: "AssumedRole", PrincipalID: "AROA:me", ARN: role, AccountID: testAccount,
		AccessKeyID: "ASIA1", InvokedBy: "mq.amazonaws.com",
		SessionContext: &SessionContext{
			SessionIssuer: &SessionIssuer{"Role", "AROA", role, testAccount, "Console"},
			Attributes:    SessionAttributes{"2026-03-04T04:00:00Z", "false"},
		},
	}
	e.RequestParameters = map[string]any{
		"granteePrincipal": "mq.amazonaws.com", "keyId": key, "operations": []string{"Decrypt"},
		"retiringPrincipal": "mq.amazonaws.com",
	}
	e.ResponseElements = map[string]any{"grantId": strings.Repeat("0a", 32), "keyId": key}
	e.Resources = []Resource{{testAccount, "AWS::KMS::Key", key}}
	e.SessionCredentialFromConsole = "true"

	got := object(t, e)
	sameShape(t, "", got, object(t, raw))
	for field, want := range map[string]any{
		"eventTime": "2026-03-04T04:06:07Z", "sessionCredentialFromConsole": "true",
		"readOnly": false, "managementEvent": true, "eventVersion": "1.08",
	} {
		if got[field] != want {
			t.Errorf("%s = %v, want %v", field, got[field], want)
		}
	}
	session := got["userIdentity"].(map[string]any)["sessionContext"].(map[string]any)
	if w, ok := session["webIdFederationData"].(map[string]any); !ok || len(w) != 0 {
		t.Errorf("webIdFederationData = %v, want an empty object", session["webIdFederationData"])
	}
	// As a value and as a pointer it is written in the same way.
	if !reflect.DeepEqual(object(t, *e), got) {
		t.Error("an Event by value is written in another way")
	}
	// sessionCredentialFromConsole stands only in console sessions.
	e.SessionCredentialFromConsole = ""
	if _, ok := object(t, e)["sessionCredentialFromConsole"]; ok {
		t.Error("sessionCredentialFromConsole stands without a console session")
	}
}

// TestVolumeEvent: GRT-09. The grant that EBS makes has the fields of its
// sample: a service as identity, a shared event id, no console session.
func TestVolumeEvent(t *testing.T) {
	t.Parallel()
	raw, want := sample(t, "event-ebs-grant.json")
	const key = "arn:aws:kms:us-west-2:111122223333:key/6c8d5a3e-0000-4000-8000-000000000001"
	e := event(1, testTime(0))
	e.EventName, e.ReadOnly = "CreateGrant", false
	e.UserIdentity = Identity{Type: "AWSService", InvokedBy: "mq.amazonaws.com"}
	e.SourceIPAddress, e.UserAgent = "mq.amazonaws.com", "ExampleDesktop/1.0 (V1; OS)"
	e.RequestID, e.SharedEventID = "req", "shared"
	e.RequestParameters = map[string]any{
		"granteePrincipal": "mq.amazonaws.com", "keyId": key, "operations": []string{"Decrypt"},
		"retiringPrincipal": "ec2.us-west-2.amazonaws.com",
		"constraints": map[string]any{
			"encryptionContextSubset": map[string]string{"aws:ebs:id": "vol-1"}},
	}
	e.ResponseElements = map[string]any{"grantId": strings.Repeat("0a", 32), "keyId": key}
	e.Resources = []Resource{{testAccount, "AWS::KMS::Key", key}}
	sameShape(t, "", object(t, e), object(t, raw))
	if e.UserIdentity != want.UserIdentity || e.UserAgent != want.UserAgent {
		t.Errorf("identity %+v, want %+v", e.UserIdentity, want.UserIdentity)
	}
}

// sameShape compares the names and types of two JSON values, not what they say.
func sameShape(t *testing.T, path string, got, want any) {
	t.Helper()
	if reflect.TypeOf(got) != reflect.TypeOf(want) {
		t.Errorf("%s is %T, want %T", path, got, want)
		return
	}
	switch w := want.(type) {
	case map[string]any:
		g := got.(map[string]any)
		a, b := slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w))
		if !slices.Equal(a, b) {
			t.Errorf("%s has the fields %v, want %v", path, a, b)
			return
		}
		for name := range w {
			sameShape(t, path+"/"+name, g[name], w[name])
		}
	case []any:
		g := got.([]any)
		if len(g) == 0 || len(w) == 0 {
			t.Errorf("%s is empty", path)
			return
		}
		sameShape(t, path+"/0", g[0], w[0])
	}
}

func TestUsername(t *testing.T) {
	t.Parallel()
	issued := &SessionContext{SessionIssuer: &SessionIssuer{UserName: "role"}}
	session := "arn:aws:sts::111122223333:assumed-role/path/role/today"
	for want, id := range map[string]Identity{
		"today": {Type: "AssumedRole", ARN: session, SessionContext: issued},
		"alice": {Type: "IAMUser", UserName: "alice", SessionContext: issued},
		"root":  {Type: "Root"},
		"role":  {Type: "AssumedRole", SessionContext: issued},
		"":      {Type: "AssumedRole", SessionContext: &SessionContext{}},
	} {
		if got := (&Event{UserIdentity: id}).Username(); got != want {
			t.Errorf("%+v: %q, want %q", id, got, want)
		}
	}
	none := &Event{}
	if text, err := json.Marshal(none); err != nil || !strings.Contains(string(text),
		`"requestParameters":null,"responseElements":null`) {
		t.Errorf("%s, %v", text, err)
	}
}
