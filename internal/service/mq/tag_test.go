package mq

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestTags: tags of brokers and configurations after their creation.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broker := w.describe(w.create("orders", ""))["brokerArn"].(string)
	_, c := w.configurations("GET", "/"+w.newConfiguration("limits"), nil)
	for _, name := range []string{broker, c["arn"].(string)} {
		path := "/v1/tags/" + url.PathEscape(name)
		call := func(method, query string, body any) (int, object) {
			return w.do("ROOT", method, path+query, body, "mq", "")
		}
		list := func(want string) {
			t.Helper()
			status, out := call("GET", "", nil)
			if status != 200 || fmt.Sprint(out["tags"]) != want {
				t.Errorf("%d %v, want %s", status, out, want)
			}
		}
		list("map[]")
		status, out := call("POST", "", object{"tags": object{"team": "blue", "x": "1"}})
		if status != 204 {
			t.Fatalf("%s: %d %v", name, status, out)
		}
		call("POST", "", object{"tags": object{"x": "2"}})
		list("map[team:blue x:2]")
		if status, out := call("DELETE", "?tagKeys=x&tagKeys=none", nil); status != 204 {
			t.Errorf("%d %v", status, out)
		}
		list("map[team:blue]")
		many := object{}
		for i := range maxTags {
			many[fmt.Sprint("t", i)] = ""
		}
		for name, tags := range map[string]object{"many": many, "reserved": {"aws:a": ""}} {
			if status, out := call("POST", "", object{"tags": tags}); status != 400 {
				t.Errorf("%s: %d %v", name, status, out)
			}
		}
		list("map[team:blue]")
		if status, _ := w.do("OTHER", "GET", path, nil, "mq", ""); status != 404 {
			t.Errorf("another account: %d", status)
		}
	}
	if fmt.Sprint(w.describe(broker[strings.LastIndex(broker, ":")+1:])["tags"]) !=
		"map[team:blue]" {
		t.Error("DescribeBroker does not show the tags")
	}
	for _, name := range []string{"x", broker + "x", strings.Replace(broker, "orders", "o", 1),
		strings.Replace(broker, ":mq:", ":kms:", 1)} {
		if status, _ := w.do("ROOT", "GET", "/v1/tags/"+url.PathEscape(name), nil, "mq",
			""); status != 404 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// TestOffers: what brokers can be, and its filters and pages.
func TestOffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(path string) object {
		t.Helper()
		status, out := w.do("ROOT", "GET", "/v1/"+path, nil, "mq", "")
		if status != 200 {
			t.Fatalf("%s: %d %v", path, status, out)
		}
		return out
	}
	types := get("broker-engine-types?engineType=rabbitmq")["brokerEngineTypes"].([]any)
	if len(types) != 1 || fmt.Sprint(types[0].(object)["engineVersions"]) !=
		"[map[name:4.2] map[name:4.1] map[name:4.0] map[name:3.13]]" {
		t.Errorf("%v", types)
	}
	none := get("broker-engine-types?engineType=ACTIVEMQ")
	if len(none["brokerEngineTypes"].([]any)) != 0 {
		t.Errorf("%v", none)
	}
	one := get("broker-instance-options?hostInstanceType=mq.t3.micro&storageType=ebs")
	o := one["brokerInstanceOptions"].([]any)[0].(object)
	if fmt.Sprint(o["supportedDeploymentModes"]) != "[SINGLE_INSTANCE]" ||
		fmt.Sprint(o["availabilityZones"].([]any)[2]) != "map[name:us-east-1c]" {
		t.Errorf("%v", o)
	}
	seen, path := 0, "broker-instance-options?maxResults=5"
	for path != "" {
		out := get(path)
		seen += len(out["brokerInstanceOptions"].([]any))
		path = ""
		if token, ok := out["nextToken"].(string); ok {
			path = "broker-instance-options?maxResults=5&nextToken=" + token
		}
	}
	if seen != len(instanceTypes()) {
		t.Errorf("%d of %d types", seen, len(instanceTypes()))
	}
	if out := get("broker-instance-options?engineType=ACTIVEMQ"); len(
		out["brokerInstanceOptions"].([]any)) != 0 {
		t.Errorf("%v", out)
	}
	for _, path := range []string{"broker-engine-types?engineType=kafka",
		"broker-instance-options?engineType=kafka", "broker-engine-types?nextToken=AAAA"} {
		if status, out := w.do("ROOT", "GET", "/v1/"+path, nil, "mq", ""); status != 400 {
			t.Errorf("%s: %d %v", path, status, out)
		}
	}
}

// TestNotForRabbitMQ: operations of ActiveMQ's brokers are refused, and say whose they are.
func TestNotForRabbitMQ(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("orders", "")
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/users/u", object{"password": password}},
		{"PUT", "/users/u", object{"password": password}}, {"DELETE", "/users/u", nil},
		{"GET", "/users/u", nil}, {"GET", "/users", nil},
		{"POST", "/promote", object{"mode": "FAILOVER"}},
	} {
		status, out := w.mq("ROOT", c.method, "/"+id+c.path, c.body)
		if status != 400 || out["code"] != "BadRequestException" ||
			!strings.Contains(fmt.Sprint(out["message"]), "engine type [RABBITMQ]") {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, out)
		}
		if status, _ := w.mq("OTHER", c.method, "/"+id+c.path, c.body); status != 404 {
			t.Errorf("%s %s of another account: %d", c.method, c.path, status)
		}
	}
	w.seen(t, password)
}
