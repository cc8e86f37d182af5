package mq

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// update changes a broker, which must succeed.
func (w *world) update(id string, change object) object {
	w.t.Helper()
	status, out := w.mq("ROOT", "PUT", "/"+id, change)
	if status != 200 {
		w.t.Fatalf("update %v: %d %v", change, status, out)
	}
	return out
}

// TestUpdateBroker: what changes at once, what waits for a reboot and is shown meanwhile,
// and what takes a wish back.
func TestUpdateBroker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, out := w.mq("ROOT", "POST", "", request(object{"engineVersion": "3.13"}))
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.engine.work.Wait()
	id := out["brokerId"].(string)
	at := object{"dayOfWeek": "FRIDAY", "timeOfDay": "03:00"}
	w.update(id, object{"autoMinorVersionUpgrade": false, "maintenanceWindowStartTime": at})
	got := w.describe(id)
	if got["autoMinorVersionUpgrade"] != false ||
		fmt.Sprint(got["maintenanceWindowStartTime"]) != fmt.Sprint(at) {
		t.Errorf("%v", got)
	}
	change := object{"engineVersion": "4.2", "hostInstanceType": "mq.m5.xlarge",
		"logs": object{"general": true}, "securityGroups": []any{"sg-9"}}
	answer := w.update(id, change)
	if answer["engineVersion"] != "4.2" || answer["brokerId"] != id {
		t.Errorf("%v", answer)
	}
	shown := func(version, pending, instance, waiting string, general bool) {
		t.Helper()
		got := w.describe(id)
		logs := got["logs"].(object)
		if got["engineVersion"] != version || fmt.Sprint(got["pendingEngineVersion"]) != pending ||
			got["hostInstanceType"] != instance || logs["general"] != general ||
			fmt.Sprint(got["pendingHostInstanceType"]) != waiting ||
			(logs["pending"] != nil) != (waiting != "<nil>") {
			t.Errorf("%v", got)
		}
	}
	shown("3.13", "4.2", "mq.m5.large", "mq.m5.xlarge", false)
	w.update(id, object{"engineVersion": "3.13", "hostInstanceType": "mq.m5.large",
		"logs": object{"general": false}, "securityGroups": []any{}})
	shown("3.13", "<nil>", "mq.m5.large", "<nil>", false)
	w.update(id, change)
	must(t, w.svc.StartAll(t.Context())) // as a start of the process: nothing is applied
	shown("3.13", "4.2", "mq.m5.large", "mq.m5.xlarge", false)
	w.reboot(id)
	shown("4.2", "<nil>", "mq.m5.xlarge", "<nil>", true)
	if got := w.describe(id); fmt.Sprint(got["securityGroups"]) != "[sg-9]" {
		t.Errorf("%v", got)
	}
	e := w.events("UpdateBroker")
	if len(e) != 4 || len(e[0].Resources) != 1 {
		t.Errorf("%d events", len(e))
	}
}

func (w *world) reboot(id string) {
	w.t.Helper()
	if status, out := w.mq("ROOT", "POST", "/"+id+"/reboot", nil); status != 200 {
		w.t.Fatalf("reboot: %d %v", status, out)
	}
}

// TestUpdateRefused: what a broker cannot become.
func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("orders", "")
	for name, c := range map[string]struct {
		change object
		status int
		member string
		text   string
	}{
		"downgrade": {object{"hostInstanceType": smallest}, 400, "hostInstanceType",
			"Downgrading from current instance type [mq.m5.large] to requested instance type " +
				"[mq.t3.micro] is not supported for RabbitMQ brokers."},
		"instance": {object{"hostInstanceType": "m5"}, 400, "hostInstanceType", "not a valid"},
		"older":    {object{"engineVersion": "3.13"}, 400, "engineVersion", "Downgrading"},
		"version":  {object{"engineVersion": "9"}, 400, "engineVersion", "Valid values"},
		"audit":    {object{"logs": object{"audit": true}}, 400, "logs", ""},
		"window": {object{"maintenanceWindowStartTime": object{
			"dayOfWeek": "MONDAY", "timeOfDay": "9"}}, 400, "maintenanceWindowStartTime", ""},
		"groups": {object{"securityGroups": []string{"1", "2", "3", "4", "5", "6"}},
			400, "securityGroups", ""},
		"size":        {object{"storageSize": 5}, 501, "", "storageSize"},
		"replication": {object{"dataReplicationMode": "CRDR"}, 501, "", "CRDR"},
		"directory":   {object{"authenticationStrategy": "LDAP"}, 501, "", "LDAP"},
		"shares":      {object{"resourceShareArns": []string{"a"}}, 501, "", "resourceShareArns"},
		"configuration": {object{"configuration": object{"id": "c-9"}}, 404,
			"configuration-id", ""},
	} {
		status, out := w.mq("ROOT", "PUT", "/"+id, c.change)
		if status != c.status || c.member != "" && out["errorAttribute"] != c.member ||
			!strings.Contains(fmt.Sprint(out["message"]), c.text) {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	if status, _ := w.mq("OTHER", "PUT", "/"+id, object{}); status != 404 {
		t.Errorf("another account's broker: %d", status)
	}
	// There is no way to give it another key (MQ-06).
	w.update(id, object{"encryptionOptions": object{"useAwsOwnedKey": false}})
	if got := w.describe(id)["encryptionOptions"].(object); got["useAwsOwnedKey"] != true {
		t.Errorf("%v", got)
	}
}

// configurations calls an operation of configurations.
func (w *world) configurations(method, path string, body any) (int, object) {
	w.t.Helper()
	return w.do("ROOT", method, "/v1/configurations"+path, body, "mq", "")
}

func (w *world) newConfiguration(name string) string {
	w.t.Helper()
	status, out := w.configurations("POST", "", object{"name": name, "engineType": "RABBITMQ"})
	if status != 200 {
		w.t.Fatalf("%d %v", status, out)
	}
	return out["id"].(string)
}

func encoded(text string) object {
	return object{"data": base64.StdEncoding.EncodeToString([]byte(text)), "description": "d"}
}

// TestConfiguration: revisions, what is left out of them, and how a broker comes to what
// they set.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.newConfiguration("limits")
	const good = "# mine\r\nconsumer_timeout = 60000 # a minute\n\nheartbeat=120\n" +
		"secure.management.http.headers.enabled = true\n"
	status, out := w.configurations("PUT", "/"+id,
		encoded(good+"vm_memory_high_watermark.relative = 0.9\nheartbeat = 5\n"))
	if status != 200 || out["latestRevision"].(object)["revision"] != 2.0 {
		t.Fatalf("%d %v", status, out)
	}
	want := "[map[elementName:secure.management.http.headers.enabled " +
		"reason:DISALLOWED_ELEMENT_REMOVED] map[elementName:vm_memory_high_watermark.relative " +
		"reason:DISALLOWED_ELEMENT_REMOVED] map[attributeName:5 elementName:heartbeat " +
		"reason:INVALID_ATTRIBUTE_VALUE_REMOVED]]"
	if got := fmt.Sprint(out["warnings"]); got != want {
		t.Errorf("warnings %s", got)
	}
	for n, text := range map[int]string{1: defaultData, 2: good} {
		_, out := w.configurations("GET", fmt.Sprintf("/%s/revisions/%d", id, n), nil)
		if out["data"] != encoded(text)["data"] {
			t.Errorf("revision %d: %v", n, out)
		}
	}
	broker := w.create("orders", "")
	if _, ok := w.describe(broker)["configurations"]; ok || w.engine.settings != (Settings{}) {
		t.Errorf("%v %+v", w.describe(broker), w.engine.settings)
	}
	w.update(broker, object{"configuration": object{"id": id}})
	if got := w.describe(broker)["configurations"]; fmt.Sprint(got) !=
		"map[pending:map[id:"+id+" revision:2]]" {
		t.Errorf("%v", got)
	}
	w.reboot(broker)
	if s := w.engine.settings; s != (Settings{time.Minute, 2 * time.Minute}) {
		t.Errorf("%+v", s)
	}
	w.update(broker, object{"configuration": object{"id": id, "revision": 1}})
	w.reboot(broker)
	if got := w.describe(broker)["configurations"]; fmt.Sprint(got) != "map[current:map[id:"+id+
		" revision:1] history:[map[id:"+id+" revision:2]]]" {
		t.Errorf("%v", got)
	}
	if s := w.engine.settings; s != (Settings{ConsumerTimeout: 30 * time.Minute}) {
		t.Errorf("%+v", s)
	}
	if status, out := w.configurations("DELETE", "/"+id, nil); status != 409 ||
		!strings.Contains(fmt.Sprint(out["message"]), broker) {
		t.Errorf("delete in use: %d %v", status, out)
	}
	if status, _ := w.mq("ROOT", "DELETE", "/"+broker, nil); status != 200 {
		t.Error(status)
	}
	if status, out := w.configurations("DELETE", "/"+id, nil); status != 200 ||
		out["configurationId"] != id {
		t.Errorf("delete: %d %v", status, out)
	}
	if status, _ := w.configurations("GET", "/"+id, nil); status != 404 {
		t.Error(status)
	}
	w.newConfiguration("limits") // the name is free again
}

// TestConfigurationAtCreation: a broker can begin with a configuration.
func TestConfigurationAtCreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.newConfiguration("limits")
	w.configurations("PUT", "/"+id, encoded("consumer_timeout = 0"))
	status, out := w.mq("ROOT", "POST", "", request(object{"configuration": object{"id": id}}))
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.engine.work.Wait()
	if w.engine.settings.ConsumerTimeout != -1 {
		t.Errorf("%+v", w.engine.settings)
	}
	w.engine.settings = Settings{}
	must(t, w.svc.StartAll(t.Context()))
	w.engine.work.Wait()
	if w.engine.settings.ConsumerTimeout != -1 {
		t.Errorf("after a restart: %+v", w.engine.settings)
	}
	status, out = w.mq("ROOT", "POST", "", request(object{"brokerName": "b",
		"configuration": object{"id": id, "revision": 3}}))
	if status != 404 || out["errorAttribute"] != "configuration-revision" {
		t.Errorf("%d %v", status, out)
	}
}

// TestConfigurationRefused: what configurations cannot be.
func TestConfigurationRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.newConfiguration("limits")
	for name, c := range map[string]struct {
		change object
		status int
		member string
	}{
		"taken":     {object{"name": "limits"}, 409, "name"},
		"no name":   {object{"name": ""}, 400, "name"},
		"blank":     {object{"name": "a b"}, 400, "name"},
		"long":      {object{"name": strings.Repeat("n", 151)}, 400, "name"},
		"version":   {object{"engineVersion": "1"}, 400, "engineVersion"},
		"activemq":  {object{"engineType": "ACTIVEMQ"}, 501, ""},
		"directory": {object{"authenticationStrategy": "LDAP"}, 501, ""},
		"tag":       {object{"tags": object{"aws:a": ""}}, 400, "tags"},
	} {
		body := object{"name": "other", "engineType": "RABBITMQ"}
		for k, v := range c.change {
			body[k] = v
		}
		status, out := w.configurations("POST", "", body)
		if status != c.status || c.member != "" && out["errorAttribute"] != c.member {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	for name, body := range map[string]object{
		"not base64": {"data": "%"}, "no line": encoded("heartbeat 60"),
		"binary": encoded("a\x00"), "no text": encoded("\xff"),
		"large": encoded(strings.Repeat("#", maxData+1)),
	} {
		status, out := w.configurations("PUT", "/"+id, body)
		if status != 400 || out["errorAttribute"] != "data" {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	for _, path := range []string{"/c-9", "/" + id[2:], "/" + id + "/revisions/2",
		"/" + id + "/revisions/0", "/" + id + "/revisions/x"} {
		if status, out := w.configurations("GET", path, nil); status != 404 {
			t.Errorf("%s: %d %v", path, status, out)
		}
	}
	if status, _ := w.do("OTHER", "GET", "/v1/configurations/"+id, nil, "mq", ""); status != 404 {
		t.Errorf("another account's: %d", status)
	}
	if _, out := w.configurations("GET", "", nil); len(out["configurations"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
}

// TestConfigurationPages: both lists are complete over pages, and revisions are bounded.
func TestConfigurationPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var id string
	for i := range 5 {
		id = w.newConfiguration(fmt.Sprint("c", i))
	}
	for range 6 {
		w.configurations("PUT", "/"+id, encoded("heartbeat = 60"))
	}
	for path, want := range map[string]struct {
		member string
		n      int
	}{"": {"configurations", 5}, "/" + id + "/revisions": {"revisions", 7}} {
		seen, query := 0, "?maxResults=2"
		for {
			status, out := w.configurations("GET", path+query, nil)
			if status != 200 {
				t.Fatalf("%s: %d %v", path, status, out)
			}
			seen += len(out[want.member].([]any))
			token, ok := out["nextToken"].(string)
			if !ok {
				break
			}
			query = "?maxResults=2&nextToken=" + url.QueryEscape(token)
		}
		if seen != want.n {
			t.Errorf("%s: %d, want %d", want.member, seen, want.n)
		}
	}
	for i := 7; i < maxRevisions; i++ {
		w.configurations("PUT", "/"+id, encoded("heartbeat = 60"))
	}
	if status, out := w.configurations("PUT", "/"+id, encoded("")); status != 400 {
		t.Errorf("one revision too many: %d %v", status, out)
	}
}

// FuzzSanitize: what is left is what was there, and is sanitized.
func FuzzSanitize(f *testing.F) {
	f.Add([]byte(defaultData))
	f.Add([]byte("heartbeat=60\r\nheartbeat =\n a.b = c # d\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		clean, _, err := sanitize(data)
		if err != nil {
			return
		}
		again, _, err := sanitize(clean)
		if err != nil || string(again) != string(clean) || len(clean) > len(data) {
			t.Errorf("%q, then %q, %v", clean, again, err)
		}
		if s := settings(clean); s.Heartbeat < 0 || s.Heartbeat > time.Hour {
			t.Errorf("%+v", s)
		}
	})
}
