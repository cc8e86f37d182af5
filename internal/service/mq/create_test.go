package mq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/policy"
)

// rule is a request that breaks one, and the answer.
type rule struct {
	change object
	status int
	member string
	text   string
}

// brokerRules are those about the broker itself.
func brokerRules() map[string]rule {
	tags := object{}
	for i := range maxTags + 1 {
		tags[fmt.Sprint("t", i)] = ""
	}
	window := func(at, zone string) object {
		return object{"maintenanceWindowStartTime": object{
			"dayOfWeek": "MONDAY", "timeOfDay": at, "timeZone": zone}}
	}
	return map[string]rule{
		"no name":        {object{"brokerName": ""}, 400, "brokerName", "1-50 characters"},
		"long name":      {object{"brokerName": strings.Repeat("a", 51)}, 400, "brokerName", ""},
		"name with dot":  {object{"brokerName": "a.b"}, 400, "brokerName", ""},
		"name with line": {object{"brokerName": "a\n"}, 400, "brokerName", ""},
		"missing":        {object{"engineType": nil}, 400, "engineType", "must not be null"},
		"unknown engine": {object{"engineType": "KAFKA"}, 400, "engineType", "enum value set"},
		"other engine":   {object{"engineType": "ACTIVEMQ"}, 501, "", "engine type ACTIVEMQ"},
		"standby": {object{"deploymentMode": "ACTIVE_STANDBY_MULTI_AZ"},
			400, "deploymentMode", ""},
		"small cluster": {object{"deploymentMode": cluster, "hostInstanceType": "mq.t3.micro"},
			400, "hostInstanceType", "CLUSTER_MULTI_AZ"},
		"instance": {object{"hostInstanceType": "m5.large"}, 400, "hostInstanceType", ""},
		"version": {object{"engineVersion": "2.0"},
			400, "engineVersion", "[RABBITMQ]. Valid values: [4.2, "},
		"storage": {object{"storageType": "EFS"}, 400, "storageType", "EFS"},
		"size":    {object{"storageSize": 20}, 501, "", "storageSize"},
		"configuration": {object{"configuration": object{"id": "c-1"}},
			404, "configuration-id", "Can't find requested configuration [c-1]"},
		"directory":   {object{"authenticationStrategy": "LDAP"}, 501, "", "LDAP"},
		"replication": {object{"dataReplicationMode": "CRDR"}, 501, "", "CRDR"},
		"audit log":   {object{"logs": object{"audit": true}}, 400, "logs", "Audit logging"},
		"time of day": {window("25:00", "UTC"),
			400, "maintenanceWindowStartTime", "HH:MM"},
		"short time": {window("2:00", "UTC"),
			400, "maintenanceWindowStartTime", ""},
		"time zone": {window("02:00", "<>"),
			400, "maintenanceWindowStartTime", ""},
		"request id": {object{"creatorRequestId": strings.Repeat("r", 257)},
			400, "creatorRequestId", ""},
		"groups": {object{"securityGroups": []string{"1", "2", "3", "4", "5", "6"}},
			400, "securityGroups", ""},
		"many tags":    {object{"tags": tags}, 400, "tags", "50"},
		"empty tag":    {object{"tags": object{"": "v"}}, 400, "tags", "1-128"},
		"long tag":     {object{"tags": object{strings.Repeat("k", 129): "v"}}, 400, "tags", ""},
		"long value":   {object{"tags": object{"k": strings.Repeat("v", 257)}}, 400, "tags", ""},
		"reserved tag": {object{"tags": object{"AWS:k": "v"}}, 400, "tags", "aws:"},
		"owned and a key": {object{"encryptionOptions": object{
			"useAwsOwnedKey": true, "kmsKeyId": "k"}},
			400, "encryptionOptions", "cannot be given"},
	}
}

// userRules are those about its user.
func userRules() map[string]rule {
	user := func(name, password string) object {
		return object{"users": []any{object{"username": name, "password": password}}}
	}
	good := object{"username": "admin", "password": password}
	return map[string]rule{
		"no user":        {object{"users": []any{}}, 400, "users", "exactly one user"},
		"two users":      {object{"users": []any{good, good}}, 400, "users", "exactly one user"},
		"guest":          {user("guest", password), 400, "username", "guest"},
		"short user":     {user("a", password), 400, "username", "2-100"},
		"tilde":          {user("ad~min", password), 400, "username", ""},
		"long user":      {user(strings.Repeat("u", 101), password), 400, "username", ""},
		"short password": {user("admin", "Aa1-Aa1-Aa1"), 400, "password", "12-250"},
		"long password":  {user("admin", strings.Repeat("Aa1-", 63)), 400, "password", ""},
		"plain password": {user("admin", "abcabcabcabc"), 400, "password", "4 unique"},
		"comma":          {user("admin", "A-password,with"), 400, "password", "commas"},
		"colon":          {user("admin", "A-password:with"), 400, "password", ""},
		"equal sign":     {user("admin", "A-password=with"), 400, "password", ""},
	}
}

// TestValidation: every rule of CreateBroker, with the member it names; what is
// refused leaves nothing.
func TestValidation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := brokerRules()
	maps.Copy(all, userRules())
	for name, e := range all {
		status, out := w.mq("ROOT", "POST", "", request(e.change))
		text := fmt.Sprint(out["message"])
		if status != e.status || e.member != "" && out["errorAttribute"] != e.member ||
			!strings.Contains(text, e.text) {
			t.Errorf("%s: %d %v", name, status, out)
		}
		if strings.Contains(text, "password,") || strings.Contains(text, password) {
			t.Errorf("%s: the answer repeats a password: %s", name, text)
		}
	}
	if _, out := w.mq("ROOT", "GET", "", nil); len(out["brokerSummaries"].([]any)) != 0 {
		t.Errorf("%v", out)
	}
	if len(w.engine.brokers) != 0 {
		t.Error("a broker was started")
	}
}

// TestAccepted are the edges of the rules.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]object{
		"names":   {"brokerName": strings.Repeat("aB-_9", 10)},
		"engine":  {"engineType": "RabbitMQ"},
		"version": {"engineVersion": "3.13"},
		"passwords": {"users": []any{object{"username": "a.",
			"password": strings.Repeat("äöü-?", 50)}}},
		"shortest": {"users": []any{object{"username": "a.", "password": "abcdabcdabcd"}}},
		"window": {"maintenanceWindowStartTime": object{"dayOfWeek": "MONDAY", "timeOfDay": "02:00",
			"timeZone": "Europe/Berlin"}},
		"tags": {"tags": object{strings.Repeat("ü", 128): strings.Repeat("ü", 256)}},
	} {
		w := newWorld(t)
		status, out := w.mq("ROOT", "POST", "", request(change))
		if status != 200 {
			t.Errorf("%s: %d %v", name, status, out)
			continue
		}
		w.engine.work.Wait()
		got := w.describe(out["brokerId"].(string))
		if want := change["maintenanceWindowStartTime"]; want != nil &&
			fmt.Sprint(got["maintenanceWindowStartTime"]) != fmt.Sprint(want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRepeated: creatorRequestId makes one broker, however often it is asked
// for, and is refused with other parameters.
func TestRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(who string, change object) (int, object) {
		o := request(object{"creatorRequestId": "r-1",
			"encryptionOptions": object{"useAwsOwnedKey": false}})
		for k, v := range change {
			o[k] = v
		}
		return w.mq(who, "POST", "", o)
	}
	_, first := ask("ROOT", nil)
	status, again := ask("ROOT", nil)
	if status != 200 || first["brokerId"] == nil || again["brokerId"] != first["brokerId"] {
		t.Fatalf("%v, then %d %v", first, status, again)
	}
	other := object{"users": []any{object{"username": "admin", "password": "Another-password-1"}}}
	for name, change := range map[string]object{"name": {"brokerName": "b"}, "password": other} {
		if status, out := ask("ROOT", change); status != 409 ||
			out["errorAttribute"] != "creatorRequestId" {
			t.Errorf("other %s: %d %v", name, status, out)
		}
	}
	for _, who := range []string{"OTHER", "ROOT@eu-west-1"} {
		if status, out := ask(who, nil); status != 200 || out["brokerId"] == first["brokerId"] {
			t.Errorf("%s: %d %v", who, status, out)
		}
	}
	w.engine.work.Wait()
	managed := w.describe(first["brokerId"].(string))["encryptionOptions"].(object)["kmsKeyId"]
	if n := len(w.grants(managed.(string))); n != 2 {
		t.Errorf("%d grants for one broker", n)
	}
	if status, out := w.mq("ROOT", "DELETE", "/"+first["brokerId"].(string), nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	if status, out := ask("ROOT", nil); status != 200 || out["brokerId"] == first["brokerId"] {
		t.Errorf("after the deletion: %d %v", status, out)
	}
	w.engine.work.Wait()
}

// TestNameConflict: a name is taken per account and Region, until its broker is
// deleted.
func TestNameConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("orders", "")
	status, out := w.mq("ROOT", "POST", "", request(nil))
	if status != 409 || out["errorAttribute"] != "brokerName" ||
		out["code"] != "ConflictException" {
		t.Errorf("%d %v", status, out)
	}
	for _, who := range []string{"OTHER", "ROOT@eu-west-1"} {
		if status, out := w.mq(who, "POST", "", request(nil)); status != 200 {
			t.Errorf("%s: %d %v", who, status, out)
		}
	}
	if status, _ := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
		t.Fatal(status)
	}
	w.create("orders", "")
}

// TestEngineFails: what fails late leaves nothing: no broker, name, grant or
// key, and no event that says otherwise.
// TestQuota: an account has so many brokers in all Regions; others have room.
func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		for n := range maxBrokers - 1 {
			b := &row{Version: rowVersion, ID: uuid.New(), Account: home,
				Region: fmt.Sprintf("xx-made-%d", n), Name: "b"}
			if err := b.put(tx); err != nil {
				return err
			}
		}
		return nil
	}))
	w.create("last", "")
	status, out := w.mq("ROOT", "POST", "", request(object{"brokerName": "more"}))
	if status != 400 || !strings.Contains(fmt.Sprint(out), "at most 200 brokers") {
		t.Errorf("%d %v", status, out)
	}
	if status, out := w.mq("OTHER", "POST", "", request(object{})); status != 200 {
		t.Errorf("%d %v", status, out)
	}
}

// TestHashForNobody: the passwords of a broker that may not be made are not hashed.
func TestHashForNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people["NOBODY"] = &gateway.Identity{
		Secret: w.people["ROOT"].Secret,
		Principal: policy.Principal{Kind: policy.User, Account: home, Name: "nobody",
			ARN: "arn:aws:iam::" + home + ":user/nobody", UserID: "AIDANOBODY"},
		Event: audit.Identity{Type: "IAMUser", PrincipalID: "AIDANOBODY", AccountID: home,
			ARN: "arn:aws:iam::" + home + ":user/nobody", UserName: "nobody"},
	}
	w.engine.fail = "hash"
	status, out := w.mq("NOBODY", "POST", "", request(object{}))
	if status != 403 || w.engine.fail != "hash" {
		t.Errorf("%d %v", status, out)
	}
}

func TestEngineFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	w.engine.fail = "create"
	o := object{"encryptionOptions": object{"useAwsOwnedKey": false, "kmsKeyId": key}}
	status, out := w.mq("ROOT", "POST", "", request(o))
	if status != 500 || strings.Contains(fmt.Sprint(out), "create fails") {
		t.Errorf("%d %v", status, out)
	}
	if g := w.grants(key); len(g) != 0 {
		t.Errorf("grants are left: %v", g)
	}
	if n := len(w.events("CreateGrant")); n != 0 {
		t.Errorf("%d CreateGrant events of what did not happen", n)
	}
	list := w.events("CreateBroker")
	if len(list) != 1 || list[0].ErrorCode == "" || list[0].ResponseElements != nil {
		t.Errorf("%+v", list)
	}
	// The reads did happen, and the key was used.
	if len(w.events("DescribeKey")) != 1 || len(w.events("Decrypt")) != 1 {
		t.Error("a use of the key is not on record")
	}
	w.engine.fail = "hash"
	if status, _ := w.mq("ROOT", "POST", "", request(o)); status != 500 {
		t.Error(status)
	}
	w.create("orders", key)
}

// TestSealedRows: nothing of a broker stands readable in the store, nor its
// password anywhere (MQ-01, MQ-15).
func TestSealedRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, _ := w.mq("ROOT", "POST", "", request(object{"brokerName": "marker-name",
		"tags": object{"marker-tag": "marker-value"}, "creatorRequestId": "marker-request"}))
	if status != 200 {
		t.Fatal(status)
	}
	w.engine.work.Wait()
	for i, s := range w.shards {
		snap := s.Snapshot()
		it := snap.Iter(nil, nil)
		for it.Next() {
			both := append(bytes.Clone(it.Key()), it.Value()...)
			for _, word := range []string{"marker", "admin", home, "orders"} {
				if bytes.Contains(both, []byte(word)) {
					t.Errorf("shard %d: key %q holds %q", i, it.Key(), word)
				}
			}
		}
		must(t, it.Err())
		must(t, it.Close())
		must(t, snap.Close())
	}
	w.seen(t, password)
}

// seen fails when an event holds the word.
func (w *world) seen(t *testing.T, word string) {
	t.Helper()
	list, _, err := w.log.Lookup(t.Context(), audit.Query{Account: home, Region: here})
	must(t, err)
	if len(list) == 0 {
		t.Error("no events")
	}
	for _, e := range list {
		text, err := json.Marshal(e)
		must(t, err)
		if bytes.Contains(text, []byte(word)) {
			t.Errorf("event %s holds %q", e.EventName, word)
		}
	}
}
