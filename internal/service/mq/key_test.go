package mq

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestKeyChoices: the keys a broker can have (MQ-02, MQ-03, MQ-04).
func TestKeyChoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	id := key[strings.LastIndex(key, "/")+1:]
	w.kms("ROOT", "CreateAlias", object{"AliasName": "alias/mine", "TargetKeyId": id})
	alias := strings.Replace(key, "key/"+id, "alias/mine", 1)
	for i, e := range []struct {
		options any
		owned   bool
		key     string // "" = alias/aws/mq
	}{
		{nil, true, ""},
		{object{"useAwsOwnedKey": true}, true, ""},
		{object{"useAwsOwnedKey": false}, false, ""},
		{object{"useAwsOwnedKey": false, "kmsKeyId": id}, false, key},
		{object{"useAwsOwnedKey": false, "kmsKeyId": key}, false, key},
		{object{"useAwsOwnedKey": false, "kmsKeyId": "alias/mine"}, false, key},
		{object{"useAwsOwnedKey": false, "kmsKeyId": alias}, false, key},
	} {
		o := request(object{"brokerName": fmt.Sprint("b", i)})
		if e.options != nil {
			o["encryptionOptions"] = e.options
		}
		status, out := w.mq("ROOT", "POST", "", o)
		if status != 200 {
			t.Errorf("%v: %d %v", e.options, status, out)
			continue
		}
		w.engine.work.Wait()
		got := w.describe(out["brokerId"].(string))
		shown := got["encryptionOptions"].(object)
		if got["brokerState"] != "RUNNING" || shown["useAwsOwnedKey"] != e.owned {
			t.Errorf("%v: %v", e.options, got)
		}
		switch {
		case e.owned && shown["kmsKeyId"] != nil, e.key != "" && shown["kmsKeyId"] != e.key:
			t.Errorf("%v: key %v", e.options, shown["kmsKeyId"])
		case !e.owned && e.key == "":
			w.managed(t, shown["kmsKeyId"].(string))
		}
	}
	// MQ-02: a key that AWS owns is not among the customer's.
	for _, k := range w.kms("ROOT", "ListKeys", object{})["Keys"].([]any) {
		m := w.kms("ROOT", "DescribeKey", object{"KeyId": k.(object)["KeyId"]})
		if arn := m["KeyMetadata"].(object)["Arn"]; !strings.Contains(arn.(string), home) {
			t.Errorf("listed: %v", arn)
		}
	}
}

// managed requires that the key is alias/aws/mq and nobody's to change (MQ-03).
func (w *world) managed(t *testing.T, key string) {
	t.Helper()
	m := w.kms("ROOT", "DescribeKey", object{"KeyId": "alias/aws/mq"})["KeyMetadata"].(object)
	if m["Arn"] != key || m["KeyManager"] != "AWS" {
		t.Errorf("%v is not %s", m, key)
	}
	for op, in := range map[string]object{
		"DisableKey": {}, "ScheduleKeyDeletion": {"PendingWindowInDays": 7},
		"PutKeyPolicy": {"Policy": "{}"},
	} {
		in["KeyId"] = key
		if status, out := w.do("ROOT", "POST", "/", in, "kms", "TrentService."+op); status != 400 {
			t.Errorf("%s: %d %v", op, status, out)
		}
	}
}

// TestKeysRefused: keys that a broker cannot have (MQ-05).
func TestKeysRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kind := func(spec, usage string) string {
		return w.key("ROOT", object{"KeySpec": spec, "KeyUsage": usage})
	}
	disabled := w.key("ROOT", nil)
	w.kms("ROOT", "DisableKey", object{"KeyId": disabled})
	closed := w.key("ROOT", nil)
	policy, err := json.Marshal(object{"Version": "2012-10-17", "Statement": []any{
		object{"Effect": "Allow", "Principal": object{"AWS": home},
			"Action":   []string{"kms:PutKeyPolicy", "kms:DescribeKey"},
			"Resource": "*"}}})
	must(t, err)
	w.kms("ROOT", "PutKeyPolicy", object{"KeyId": closed, "Policy": string(policy),
		"BypassPolicyLockoutSafetyCheck": true})
	for name, e := range map[string]struct {
		key    string
		status int
		text   string
	}{
		"asymmetric":     {kind("ECC_NIST_P256", "SIGN_VERIFY"), 400, "symmetric"},
		"HMAC":           {kind("HMAC_256", "GENERATE_VERIFY_MAC"), 400, "symmetric"},
		"disabled":       {disabled, 400, "Disabled"},
		"other account":  {w.key("OTHER", nil), 400, "account and Region"},
		"other Region":   {w.key("ROOT@eu-west-1", nil), 400, "account and Region"},
		"none":           {"0d8e3a5e-6f1f-4b70-9f7e-000000000000", 400, "does not exist"},
		"no alias":       {"alias/none", 400, "does not exist"},
		"no name":        {"%%%", 400, "KMS key"},
		"too long":       {strings.Repeat("k", 3000), 400, "KMS key"},
		"no permission":  {closed, 403, "kms:CreateGrant"},
		"another's kind": {"arn:aws:sqs:" + here + ":" + home + ":queue", 400, "KMS key"},
	} {
		o := object{"encryptionOptions": object{"useAwsOwnedKey": false, "kmsKeyId": e.key}}
		status, out := w.mq("ROOT", "POST", "", request(o))
		want := "BadRequestException"
		if e.status == 403 {
			want = "AccessDeniedException"
		}
		if status != e.status || out["code"] != want ||
			!strings.Contains(fmt.Sprint(out["message"]), e.text) {
			t.Errorf("%s: %d %.300s", name, status, fmt.Sprint(out))
		}
	}
	if _, out := w.mq("ROOT", "GET", "", nil); len(out["brokerSummaries"].([]any)) != 0 {
		t.Errorf("%v", out)
	}
}

// TestTwoBrokersOneKey: each has grants of its own, and the end of one does not
// touch the other.
func TestTwoBrokersOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	one := w.create("one", key)
	first := slices.Collect(maps.Keys(w.grants(key)))
	two := w.create("two", key)
	names := map[any]int{}
	for _, g := range w.grants(key) {
		names[g["Name"]]++
	}
	if len(first) != 2 || names["mq_grant"] != 2 || names[""] != 2 {
		t.Fatalf("grants by name: %v", names)
	}
	before := w.fences(two)
	if status, out := w.mq("ROOT", "DELETE", "/"+one, nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	left := w.grants(key)
	for _, id := range first {
		if left[id] != nil {
			t.Errorf("grant %s of the deleted broker is left", id)
		}
	}
	if len(left) != 2 || w.fences(two) != before || w.fences(one) == 0 {
		t.Errorf("%d grants are left; fences: %d and %d", len(left), w.fences(one), w.fences(two))
	}
	w.settled(two, "RUNNING")
	for _, id := range slices.Sorted(maps.Keys(left))[:1] {
		w.kms("ROOT", "RevokeGrant", object{"KeyId": key, "GrantId": id})
	}
	w.settled(two, "CRITICAL_ACTION_REQUIRED")
}

// TestEveryGrantMustLive: a broker without one of its grants is locked for good
// (MQ-08, MQ-10, GRT-20, GRT-23): one by hand that says the same is another.
func TestEveryGrantMustLive(t *testing.T) {
	t.Parallel()
	for _, name := range []any{"mq_grant", ""} {
		w := newWorld(t)
		key := w.key("ROOT", nil)
		id := w.create("orders", key)
		var lost object
		for _, g := range w.grants(key) {
			if g["Name"] == name {
				lost = g
			}
		}
		w.kms("ROOT", "RevokeGrant", object{"KeyId": key, "GrantId": lost["GrantId"]})
		w.settled(id, "CRITICAL_ACTION_REQUIRED")
		actions := w.describe(id)["actionsRequired"].([]any)
		if actions[0].(object)["actionRequiredCode"] != "RABBITMQ_INVALID_KMS_KEY" {
			t.Errorf("%v", actions)
		}
		look := object{"KeyId": key, "Operations": lost["Operations"],
			"GranteePrincipal":  lost["GranteePrincipal"],
			"RetiringPrincipal": lost["RetiringPrincipal"]}
		if name != "" {
			look["Name"] = name
		}
		if c := lost["Constraints"]; c != nil {
			look["Constraints"] = c
		}
		w.kms("ROOT", "CreateGrant", look)
		w.settled(id, "CRITICAL_ACTION_REQUIRED")
		if status, out := w.mq("ROOT", "POST", "/"+id+"/reboot", nil); status != 400 {
			t.Errorf("reboot: %d %v", status, out)
		}
		if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
			t.Errorf("delete: %d %v", status, out)
		}
		if n := len(w.grants(key)); n != 1 { // the one by hand
			t.Errorf("%d grants are left", n)
		}
	}
}

// TestLookAlikeBefore: a grant by hand that says what the broker's will say is
// not taken for it (MQ-08).
func TestLookAlikeBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	g := brokerGrants("SINGLE_INSTANCE")[0]
	look := object{"KeyId": key, "Name": g.name, "Operations": g.operations,
		"GranteePrincipal": Principal, "RetiringPrincipal": Principal}
	byHand := w.kms("ROOT", "CreateGrant", look)["GrantId"].(string)
	id := w.create("orders", key)
	w.kms("ROOT", "RevokeGrant", object{"KeyId": key, "GrantId": byHand})
	w.settled(id, "RUNNING")
	again := w.kms("ROOT", "CreateGrant", look)["GrantId"].(string)
	if w.kms("ROOT", "CreateGrant", look)["GrantId"] != again || len(w.grants(key)) != 3 {
		t.Error("a customer's own name is not unique any more")
	}
	if status, _ := w.mq("ROOT", "DELETE", "/"+id, nil); status != 200 {
		t.Error(status)
	}
	if left := w.grants(key); len(left) != 1 || left[again] == nil {
		t.Errorf("left: %v", left)
	}
}

// TestDeleteWhateverTheKey: a broker can be deleted whatever became of its key
// and grants.
func TestDeleteWhateverTheKey(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world, key string){
		"nothing": func(*world, string) {},
		"disabled": func(w *world, key string) {
			w.kms("ROOT", "DisableKey", object{"KeyId": key})
		},
		"revoked": func(w *world, key string) {
			for id := range w.grants(key) {
				w.kms("ROOT", "RevokeGrant", object{"KeyId": key, "GrantId": id})
			}
		},
	} {
		w := newWorld(t)
		key := w.key("ROOT", nil)
		id := w.create("orders", key)
		spoil(w, key)
		status, out := w.mq("ROOT", "DELETE", "/"+id, nil)
		if status != 200 || out["brokerId"] != id {
			t.Errorf("%s: %d %v", name, status, out)
		}
		if n := len(w.grants(key)); n != 0 {
			t.Errorf("%s: %d grants are left", name, n)
		}
		if status, out := w.mq("ROOT", "GET", "/"+id, nil); status != 404 {
			t.Errorf("%s: %d %v", name, status, out)
		}
		if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 404 {
			t.Errorf("%s again: %d %v", name, status, out)
		}
	}
}

// TestDeleteFails: a deletion that fails late changes nothing but for a moment:
// the grants and the broker are as before.
func TestDeleteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	id := w.create("orders", key)
	w.engine.fail = "delete"
	if status, out := w.mq("ROOT", "DELETE", "/"+id, nil); status != 500 {
		t.Errorf("%d %v", status, out)
	}
	if n := len(w.grants(key)); n != 2 {
		t.Errorf("%d grants", n)
	}
	if n := len(w.events("RetireGrant")); n != 0 {
		t.Errorf("%d RetireGrant events of what did not happen", n)
	}
	w.settled(id, "RUNNING")
}

// TestDisabled: a disabled key locks the broker, and enabling it opens it
// (MQ-10, MQ-11).
func TestDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("ROOT", nil)
	id := w.create("orders", key)
	w.kms("ROOT", "DisableKey", object{"KeyId": key})
	w.settled(id, "CRITICAL_ACTION_REQUIRED")
	info := w.describe(id)["actionsRequired"].([]any)[0].(object)["actionRequiredInfo"]
	if !strings.Contains(fmt.Sprint(info), "is disabled") {
		t.Errorf("reason: %v", info)
	}
	w.kms("ROOT", "EnableKey", object{"KeyId": key})
	w.settled(id, "RUNNING")
	if status, out := w.mq("ROOT", "POST", "/"+id+"/reboot", nil); status != 200 {
		t.Errorf("reboot: %d %v", status, out)
	}
	if !slices.Contains(w.engine.log, "reboot") {
		t.Errorf("%v", w.engine.log)
	}
}
