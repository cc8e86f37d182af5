package mq

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestListPages: pages are complete, in order, and their tokens only good where
// they were given.
func TestListPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for i := range 5 {
		want = append(want, w.create(fmt.Sprint("b", i), ""))
	}
	for _, who := range []string{"OTHER", "ROOT@eu-west-1"} {
		if status, out := w.mq(who, "POST", "", request(nil)); status != 200 {
			t.Fatalf("%d %v", status, out)
		}
	}
	slices.Sort(want)
	var got []string
	token := ""
	for pages := 1; ; pages++ {
		status, out := w.mq("ROOT", "GET", "?maxResults=2&nextToken="+token, nil)
		if status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		for _, b := range out["brokerSummaries"].([]any) {
			got = append(got, b.(object)["brokerId"].(string))
		}
		next, more := out["nextToken"].(string)
		if !more {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		token = next
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for name, bad := range map[string]struct{ who, token string }{
		"other account": {"OTHER", token}, "other Region": {"ROOT@eu-west-1", token},
		"cut": {"ROOT", token[:len(token)-2]}, "none": {"ROOT", "x"},
		"changed": {"ROOT", strings.Map(rot, token)}, "no base64": {"ROOT", "%25"},
	} {
		status, out := w.mq(bad.who, "GET", "?maxResults=2&nextToken="+bad.token, nil)
		if status != 400 || out["errorAttribute"] != "nextToken" {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	for _, n := range []string{"0", "101", "x"} {
		if status, out := w.mq("ROOT", "GET", "?maxResults="+n, nil); status != 400 {
			t.Errorf("maxResults %s: %d %v", n, status, out)
		}
	}
}

// rot changes every letter but stays within base64.
func rot(r rune) rune {
	if r >= 'a' && r < 'z' || r >= 'A' && r < 'Z' {
		return r + 1
	}
	return r
}

// TestOthersBrokers: a broker of another account or Region does not exist, and
// odd ids neither.
func TestOthersBrokers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("orders", "")
	for _, c := range []struct{ who, id string }{
		{"OTHER", id}, {"ROOT@eu-west-1", id}, {"ROOT", id[2:]}, {"ROOT", "b-"}, {"ROOT", "b-x"},
		{"ROOT", "b-0d8e3a5e-6f1f-4b70-9f7e-000000000000"}, {"ROOT", "orders"},
	} {
		for _, call := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/reboot"}} {
			status, out := w.mq(c.who, call[0], "/"+c.id+call[1], nil)
			if status != 404 || out["code"] != "NotFoundException" ||
				!strings.HasPrefix(fmt.Sprint(out["message"]), "Can't find requested broker") {
				t.Errorf("%s %s of %s: %d %v", call[0], c.id, c.who, status, out)
			}
		}
	}
	if s := w.state(id); s != "RUNNING" {
		t.Error(s)
	}
}

// TestDescribe shows what was asked for and AWS's defaults.
func TestDescribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, out := w.mq("ROOT", "POST", "", request(object{
		"autoMinorVersionUpgrade": false, "logs": object{"general": true},
		"tags": object{"team": "blue"}, "securityGroups": []string{"sg-1"},
		"subnetIds": []string{"subnet-1"}, "publiclyAccessible": true,
	}))
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.engine.work.Wait()
	id := out["brokerId"].(string)
	got := w.describe(id)
	for name, want := range map[string]any{
		"brokerArn":               "arn:aws:mq:us-east-1:" + home + ":broker:orders:" + id,
		"brokerId":                id,
		"brokerName":              "orders",
		"brokerState":             "RUNNING",
		"engineType":              "RABBITMQ",
		"engineVersion":           defaultVersion,
		"deploymentMode":          "SINGLE_INSTANCE",
		"storageType":             "EBS",
		"hostInstanceType":        "mq.m5.large",
		"autoMinorVersionUpgrade": false,
		"publiclyAccessible":      true,
		"authenticationStrategy":  "SIMPLE",
		"tags":                    object{"team": "blue"},
		"securityGroups":          []any{"sg-1"},
		"subnetIds":               []any{"subnet-1"},
	} {
		if fmt.Sprint(got[name]) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if got["brokerArn"] != out["brokerArn"] || len(got["brokerInstances"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
	if _, ok := got["actionsRequired"]; ok {
		t.Errorf("%v", got["actionsRequired"])
	}
	if strings.Contains(fmt.Sprint(got), password) {
		t.Error("the password is shown")
	}
	e := w.events("CreateBroker")[0]
	if len(e.Resources) != 1 || e.Resources[0].ARN != got["brokerArn"] ||
		e.EventSource != "amazonmq.amazonaws.com" {
		t.Errorf("%+v", e)
	}
}

// TestStartAll runs what is stored after a restart.
func TestStartAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	one, two := w.create("one", key), w.create("two", "")
	for id := range w.engine.brokers {
		w.engine.Stop(id)
	}
	must(t, w.svc.StartAll(t.Context()))
	w.engine.work.Wait()
	w.settled(one, "RUNNING")
	w.settled(two, "RUNNING")
}

// FuzzOpenToken: no token but our own opens.
func FuzzOpenToken(f *testing.F) {
	w := newWorld(f)
	id := w.create("orders", "")
	f.Add(id)
	f.Add("AAAA")
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, token string) {
		w.t = t
		status, _ := w.mq("ROOT", "GET", "?nextToken="+strings.Map(func(r rune) rune {
			if r > ' ' && r < 127 && !strings.ContainsRune("%&#?+;", r) {
				return r
			}
			return 'A'
		}, token), nil)
		if status != 400 {
			t.Errorf("%q: %d", token, status)
		}
	})
}
