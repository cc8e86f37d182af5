package story

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"coffer/test/story/kit"
)

// fixture reads a sample event. Those in testdata are the samples of the
// Amazon MQ Developer Guide, "Data protection", repaired to valid JSON; their
// values contradict each other, their shape does not. That of SQS is what users
// have published of theirs, a part of an event.
func fixture(t *testing.T, name string) kit.Event {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var e kit.Event
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return e
}

// samples are the fields whose value in the fixtures stands for any other:
// names, times and places of the one who published them.
var samples = map[string]bool{
	"arn": true, "ARN": true, "accountId": true, "principalId": true, "accessKeyId": true,
	"type": true, "eventTime": true, "awsRegion": true, "sourceIPAddress": true,
	"userAgent": true, "keyId": true, "grantId": true, "requestID": true, "eventID": true,
	"recipientAccountId": true, "sharedEventID": true, "aws:ebs:id": true,
	"retiringPrincipal": true, "aws:sqs:arn": true,
}

// exact are the values of those fields that the events of services keep.
var exact = []string{"mq.amazonaws.com", "ExampleDesktop/1.0 (V1; OS)", "AWSService",
	"AWS::KMS::Key", "sqs.amazonaws.com", "AWSAccount"}

// compare requires the fixture's names at every level, no others, and its
// values where they are not samples; lists keep their order. It gives what is
// different.
func compare(at string, want, got any) (findings []string) {
	w, ok := want.(map[string]any)
	if !ok {
		return compareLeaf(at, want, got)
	}
	g, ok := got.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: %v, want %v", at, got, want)}
	}
	names, wanted := slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w))
	if !slices.Equal(names, wanted) {
		findings = append(findings, fmt.Sprintf("%s has %q, want %q", at, names, wanted))
	}
	for name, v := range w {
		if s, ok := v.(string); ok && samples[name] && !slices.Contains(exact, s) {
			if x, ok := g[name].(string); !ok || x == "" {
				f := fmt.Sprintf("%s.%s: %v, want a word", at, name, g[name])
				findings = append(findings, f)
			}
			continue
		}
		findings = append(findings, compare(at+"."+name, v, g[name])...)
	}
	return findings
}

func compareLeaf(at string, want, got any) (findings []string) {
	list, ok := want.([]any)
	if !ok || len(list) == 0 {
		if reflect.DeepEqual(want, got) {
			return nil
		}
		return []string{fmt.Sprintf("%s: %v, want %v", at, got, want)}
	}
	found, ok := got.([]any)
	if !ok || len(found) != len(list) {
		return []string{fmt.Sprintf("%s: %v, want %v", at, got, want)}
	}
	for i := range list {
		findings = append(findings, compare(fmt.Sprintf("%s[%d]", at, i), list[i], found[i])...)
	}
	return findings
}

// TestCompare changes a sample in each way that an event must not.
func TestCompare(t *testing.T) {
	t.Parallel()
	change := func(fn func(e map[string]any)) []string {
		sample, e := fixture(t, "event-ebs-grant.json"), fixture(t, "event-ebs-grant.json")
		fn(e)
		return compare("event", map[string]any(sample), map[string]any(e))
	}
	parameters := func(e map[string]any) map[string]any {
		return e["requestParameters"].(map[string]any)
	}
	if f := change(func(e map[string]any) { e["eventTime"] = "another" }); len(f) != 0 {
		t.Errorf("another sample value: %q", f)
	}
	for name, fn := range map[string]func(map[string]any){
		"a field less":    func(e map[string]any) { delete(e, "sharedEventID") },
		"a field more":    func(e map[string]any) { e["tlsDetails"] = "x" },
		"a deeper one":    func(e map[string]any) { parameters(e)["name"] = "mq_grant" },
		"a value":         func(e map[string]any) { e["eventVersion"] = "1.09" },
		"a type":          func(e map[string]any) { e["readOnly"] = "false" },
		"a sample's type": func(e map[string]any) { e["requestID"] = 5.0 },
		"a fixed sample":  func(e map[string]any) { e["sourceIPAddress"] = "127.0.0.1" },
		"the operations": func(e map[string]any) {
			parameters(e)["operations"] = []any{"Encrypt"}
		},
	} {
		if len(change(fn)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
