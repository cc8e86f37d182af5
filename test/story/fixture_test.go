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
// values contradict each other, their shape does not.
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
	"retiringPrincipal": true,
}

// exact are the values of those fields that the events of a volume keep.
var exact = []string{"mq.amazonaws.com", "ExampleDesktop/1.0 (V1; OS)", "AWSService",
	"AWS::KMS::Key"}

// compare requires the fixture's names at every level, no others, and its
// values where they are not samples; lists keep their order.
func compare(t *testing.T, at string, want, got any) {
	t.Helper()
	w, ok := want.(map[string]any)
	if !ok {
		compareLeaf(t, at, want, got)
		return
	}
	g, ok := got.(map[string]any)
	if !ok {
		t.Errorf("%s: %v, want %v", at, got, want)
		return
	}
	names, wanted := slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w))
	if !slices.Equal(names, wanted) {
		t.Errorf("%s has %q, want %q", at, names, wanted)
	}
	for name, v := range w {
		if s, ok := v.(string); ok && samples[name] && !slices.Contains(exact, s) {
			if x, ok := g[name].(string); !ok || x == "" {
				t.Errorf("%s.%s: %v, want a word", at, name, g[name])
			}
			continue
		}
		compare(t, at+"."+name, v, g[name])
	}
}

func compareLeaf(t *testing.T, at string, want, got any) {
	t.Helper()
	list, ok := want.([]any)
	if !ok || len(list) == 0 {
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
		return
	}
	found, ok := got.([]any)
	if !ok || len(found) != len(list) {
		t.Errorf("%s: %v, want %v", at, got, want)
		return
	}
	for i := range list {
		compare(t, fmt.Sprintf("%s[%d]", at, i), list[i], found[i])
	}
}
