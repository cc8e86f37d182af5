package mq

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newCluster makes a cluster on the key, which must run.
func (w *world) newCluster(name, key string) string {
	w.t.Helper()
	status, out := w.mq("ROOT", "POST", "", request(object{
		"brokerName": name, "deploymentMode": cluster,
		"encryptionOptions": object{"useAwsOwnedKey": false, "kmsKeyId": key}}))
	if status != 200 {
		w.t.Fatalf("create %s: %d %v", name, status, out)
	}
	w.engine.work.Wait()
	id := out["brokerId"].(string)
	w.settled(id, "RUNNING")
	return id
}

// TestCluster: a cluster has five grants in the order of AWS, three volumes, and one
// endpoint (GRT-02, GRT-04, GRT-05, GRT-06, GRT-07, GRT-10).
func TestCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	id := w.newCluster("orders", key)
	list := w.events("CreateGrant")
	if len(list) != 5 {
		t.Fatalf("%d CreateGrant events, want 5", len(list))
	}
	grants, volumes := w.grants(key), map[string]bool{}
	for i, e := range list {
		g := grants[fmt.Sprint(e.ResponseElements["grantId"])]
		if g == nil || e.Resources[0].ARN != key || e.ResponseElements["keyId"] != key {
			t.Fatalf("event %d: %+v", i, e)
		}
		delete(grants, g["GrantId"].(string))
		if i < 2 {
			sample := sampleGrant(t, []string{"mq-grant-cluster", "mq-rabbit-grant"}[i])
			if fmt.Sprint(g["Operations"]) != fmt.Sprint(sample["operations"]) ||
				g["RetiringPrincipal"] != sample["retiringPrincipal"] ||
				e.EventSource != eventSource {
				t.Errorf("grant %d: %v, event source %s", i, g, e.EventSource)
			}
			continue
		}
		subset := g["Constraints"].(object)["EncryptionContextSubset"].(object)
		volumes[fmt.Sprint(subset[volumeKey])] = true
		if e.EventSource != "kms.amazonaws.com" || e.UserAgent != volumeAgent ||
			e.SharedEventID == "" || g["RetiringPrincipal"] != "ec2.us-east-1.amazonaws.com" ||
			fmt.Sprint(g["Operations"]) != "[Decrypt]" {
			t.Errorf("volume's grant %v, event %+v", g, e)
		}
	}
	if len(volumes) != 3 || len(grants) != 0 {
		t.Errorf("volumes %v, other grants %v", volumes, grants)
	}
	instances := w.describe(id)["brokerInstances"].([]any)
	if len(instances) != 1 || len(instances[0].(object)["endpoints"].([]any)) != 1 {
		t.Errorf("instances %v", instances)
	}
}

// sampleGrant gives the request of a published sample event.
func sampleGrant(t *testing.T, name string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "test", "story", "testdata",
		"event-"+name+".json"))
	must(t, err)
	e := object{}
	must(t, json.Unmarshal(text, &e))
	return e["requestParameters"].(object)
}

// TestClusterNeedsAll: each of the five grants ends the cluster, the reason names which,
// and one by hand does not stand in for it (MQ-08, GRT-20).
func TestClusterNeedsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	for n := range 5 {
		before := w.grants(key)
		id := w.newCluster(fmt.Sprint("b", n), key)
		mine := w.grants(key)
		maps.DeleteFunc(mine, func(id string, _ object) bool { return before[id] != nil })
		g := mine[slices.SortedFunc(maps.Keys(mine), func(a, b string) int {
			return strings.Compare(grantLabel(mine[a]), grantLabel(mine[b]))
		})[n]]
		w.kms("ROOT", "RevokeGrant", object{"KeyId": key, "GrantId": g["GrantId"]})
		look := maps.Clone(g)
		look["KeyId"] = key
		for _, name := range []string{"GrantId", "CreationDate", "IssuingAccount"} {
			delete(look, name)
		}
		if look["Name"] == "" {
			delete(look, "Name") // of a volume's grant
		}
		w.kms("ROOT", "CreateGrant", look)
		w.settled(id, "CRITICAL_ACTION_REQUIRED")
		why := w.describe(id)["actionsRequired"].([]any)[0].(object)["actionRequiredInfo"]
		if !strings.Contains(fmt.Sprint(why), grantLabel(g)+" was revoked") {
			t.Errorf("without %s: %v", grantLabel(g), why)
		}
		if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
			t.Errorf("delete: %d %v", status, out)
		}
		if left := w.grants(key); len(left) != n+1 { // those by hand
			t.Errorf("%d grants are left, want %d", len(left), n+1)
		}
	}
}

// grantLabel is the name of a broker's grant, or its volume.
func grantLabel(g object) string {
	if name, _ := g["Name"].(string); name != "" {
		return name
	}
	return fmt.Sprint(g["Constraints"].(object)["EncryptionContextSubset"].(object)[volumeKey])
}

// TestClusterOwned: under a key that AWS owns a cluster has three volumes and no grants.
func TestClusterOwned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, out := w.mq("ROOT", "POST", "", request(object{"deploymentMode": cluster}))
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.engine.work.Wait()
	id := out["brokerId"].(string)
	w.settled(id, "RUNNING")
	b, err := w.svc.find(t.Context(), home, here, id)
	must(t, err)
	if len(b.Volumes) != 3 || len(b.Grants) != 0 || len(b.grantIDs()) != 0 {
		t.Errorf("%+v", b)
	}
	if n := len(w.events("CreateGrant")); n != 0 {
		t.Errorf("%d CreateGrant events", n)
	}
}

// TestVolumesDisagree: a volume that holds another broker key, or none that opens, keeps
// the broker locked.
func TestVolumesDisagree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	one, two := w.newCluster("one", key), w.newCluster("two", key)
	a, err := w.svc.find(t.Context(), home, here, one)
	must(t, err)
	b, err := w.svc.find(t.Context(), home, here, two)
	must(t, err)
	for name, spoil := range map[string]func(*row){
		"another key": func(x *row) {
			dataKey, err := w.svc.openVolume(t.Context(), x, &x.Volumes[1])
			must(t, err)
			x.Volumes[1].BrokerKey, err = wrapOther(x, dataKey)
			must(t, err)
		},
		"swapped keys":    func(x *row) { x.Volumes[1].BrokerKey = x.Volumes[2].BrokerKey },
		"another's":       func(x *row) { x.Volumes[2].BrokerKey = b.Volumes[2].BrokerKey },
		"swapped volumes": func(x *row) { x.Volumes[0].DataKey = x.Volumes[1].DataKey },
		"no volume":       func(x *row) { x.Volumes = nil },
	} {
		x := *a
		x.Volumes = slices.Clone(a.Volumes)
		spoil(&x)
		if key, err := w.svc.unwrap(t.Context(), &x); err == nil || key != nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := w.svc.unwrap(t.Context(), a); err != nil {
		t.Error(err)
	}
}
