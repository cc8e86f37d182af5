package mq

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/policy"
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

// TestTagsDecide: policies can look at the tags of what is touched, of a request, and at
// the keys of those to remove (IAM-03).
func TestTagsDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"mq:*","Resource":"*",
			"Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}},
		{"Effect":"Deny","Action":"mq:*","Resource":"*",
			"Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}}]}`),
		policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	w.people["BOB"] = &gateway.Identity{
		Secret: sigv4.NewSecret("secret"),
		Principal: policy.Principal{Kind: policy.User, Account: home, UserID: "BOB",
			ARN: "arn:aws:iam::" + home + ":user/bob", Name: "bob"},
		Policies: []policy.Policy{{Name: "p", Document: doc}},
		Event: audit.Identity{Type: "IAMUser", PrincipalID: "AIDABOB", AccountID: home,
			ARN: "arn:aws:iam::" + home + ":user/bob", UserName: "bob"},
	}
	for _, team := range []string{"blue", "red"} {
		id := w.create(team, "")
		name := w.describe(id)["brokerArn"].(string)
		path := "/v1/tags/" + url.PathEscape(name)
		c := w.newConfiguration(team)
		_, shown := w.configurations("GET", "/"+c, nil)
		tag := object{"tags": object{"team": team}}
		w.do("ROOT", "POST", path, tag, "mq", "")
		w.do("ROOT", "POST", "/v1/tags/"+url.PathEscape(shown["arn"].(string)), tag, "mq", "")
		for i, call := range []struct {
			method, path string
			body         any
			denied       bool // whatever the team
		}{
			{"GET", "/v1/brokers/" + id, nil, false},
			{"GET", "/v1/configurations/" + c, nil, false},
			{"PUT", "/v1/brokers/" + id, object{}, false}, {"GET", path, nil, false},
			{"POST", path, object{"tags": object{"x": "1"}}, false}, {"POST", path, tag, true},
			{"DELETE", path + "?tagKeys=x", nil, false},
			{"DELETE", path + "?tagKeys=team", nil, true},
		} {
			status, out := w.do("BOB", call.method, call.path, call.body, "mq", "")
			if denied := call.denied || team == "red"; (status == 403) != denied ||
				!denied && status > 299 {
				t.Errorf("%s, call %d: %d %v", team, i, status, out)
			}
		}
	}
}
