package cloudtrail

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/cloudtrail"
)

// call runs an operation of an account and gives the answer or the code.
func (w *world) call(account, op string, in object) (object, string) {
	w.t.Helper()
	status, out := w.ask(account, op, in)
	if code, _ := out["__type"].(string); status != 200 {
		return out, code
	}
	return out, ""
}

// must is call for what has to succeed.
func (w *world) must(op string, in object) object {
	w.t.Helper()
	out, code := w.call(home, op, in)
	if code != "" {
		w.t.Fatalf("%s %v: %s %v", op, in, code, out)
	}
	return out
}

// field is one of a selector.
func field(name string, with ...any) object {
	o := object{"Field": name}
	for i := 0; i < len(with); i += 2 {
		o[with[i].(string)] = []any{with[i+1]}
	}
	return o
}

func selectors(list ...[]object) (out []object) {
	for _, fields := range list {
		out = append(out, object{"FieldSelectors": fields})
	}
	return out
}

var dataFields = []object{field("eventCategory", "Equals", "Data"),
	field("resources.type", "Equals", "AWS::AmazonMQ::Queue")}

// TestStoreLife walks a store through its states, as the API documents them.
func TestStoreLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.must("CreateEventDataStore", object{"Name": "first"})
	arn := made["EventDataStoreArn"].(string)
	if made["Status"] != "CREATED" || made["RetentionPeriod"] != 366.0 ||
		made["TerminationProtectionEnabled"] != true || made["MultiRegionEnabled"] != true ||
		made["BillingMode"] != "EXTENDABLE_RETENTION_PRICING" ||
		!strings.HasPrefix(arn, "arn:aws:cloudtrail:us-east-1:"+home+":eventdatastore/") {
		t.Errorf("made %v", made)
	}
	if s := fmt.Sprint(made["AdvancedEventSelectors"]); !strings.Contains(s, "[Management]") {
		t.Errorf("by default it selects %s", s)
	}
	named := object{"EventDataStore": arn}
	state := func(want string) {
		t.Helper()
		for _, name := range []string{arn, arn[strings.LastIndexByte(arn, '/')+1:]} {
			got := w.must("GetEventDataStore", object{"EventDataStore": name})
			if got["Status"] != want {
				t.Errorf("%s is %v, want %s", name, got["Status"], want)
			}
		}
	}
	refused := func(op, want string) {
		t.Helper()
		if _, code := w.call(home, op, named); code != want {
			t.Errorf("%s: %s, want %s", op, code, want)
		}
	}
	state("ENABLED")
	refused("StartEventDataStoreIngestion", "InvalidEventDataStoreStatusException")
	w.must("StopEventDataStoreIngestion", named)
	state("STOPPED_INGESTION")
	w.must("StartEventDataStoreIngestion", named)
	refused("DeleteEventDataStore", "EventDataStoreTerminationProtectedException")
	refused("RestoreEventDataStore", "InvalidEventDataStoreStatusException")
	w.must("UpdateEventDataStore", object{"EventDataStore": arn, "Name": "second",
		"TerminationProtectionEnabled": false, "RetentionPeriod": 7})
	if got := w.must("GetEventDataStore", named); got["Name"] != "second" ||
		got["RetentionPeriod"] != 7.0 || got["TerminationProtectionEnabled"] != false {
		t.Errorf("updated: %v", got)
	}
	w.must("DeleteEventDataStore", named)
	state("PENDING_DELETION")
	refused("DeleteEventDataStore", "InactiveEventDataStoreException")
	refused("UpdateEventDataStore", "InactiveEventDataStoreException")
	w.must("RestoreEventDataStore", named)
	state("ENABLED")
	w.must("DeleteEventDataStore", named)
	w.now = w.now.Add(8 * 24 * time.Hour)
	if _, err := w.svc.Kept(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused("GetEventDataStore", "EventDataStoreNotFoundException")
	if n := len(w.must("ListEventDataStores", object{})["EventDataStores"].([]any)); n > 0 {
		t.Errorf("%d are listed", n)
	}
}

// TestStoreRefused: what is no store, and whose.
func TestStoreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.must("CreateEventDataStore", object{"Name": "taken"})["EventDataStoreArn"]
	for name, c := range map[string]struct {
		in   object
		code string
	}{
		"name taken":   {object{"Name": "taken"}, "EventDataStoreAlreadyExistsException"},
		"no name":      {object{}, "ValidationException"},
		"organization": {object{"OrganizationEnabled": true}, "OrganizationsNotInUseException"},
		"key":          {object{"KmsKeyId": "alias/x"}, "UnsupportedOperationException"},
		"too long": {object{"BillingMode": "FIXED_RETENTION_PRICING", "RetentionPeriod": 3653},
			"InvalidParameterException"},
		"six days": {object{"RetentionPeriod": 6}, "ValidationException"},
	} {
		if _, there := c.in["Name"]; !there && name != "no name" {
			c.in["Name"] = "new-one"
		}
		if out, code := w.call(home, "CreateEventDataStore", c.in); code != c.code {
			t.Errorf("%s: %s %v", name, code, out)
		}
	}
	for name, code := range map[any]string{
		arn: "EventDataStoreNotFoundException", "x/y": "EventDataStoreARNInvalidException",
		"arn:aws:cloudtrail:us-east-1:" + abroad + ":trail/x": "EventDataStoreARNInvalidException",
	} {
		_, got := w.call(abroad, "GetEventDataStore", object{"EventDataStore": name})
		if got != code && got != "AccessDeniedException" {
			t.Errorf("another account sees %v: %s, want %s", name, got, code)
		}
	}
	// A policy's Deny is for the name as Coffer writes it; under no other it is found.
	name := arn.(string)
	id := name[strings.LastIndexByte(name, '/')+1:]
	for _, name := range []string{
		strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""),
		strings.Replace(name, "arn:aws:", "arn:aws-cn:", 1), strings.ToUpper(id) + " ",
		strings.Replace(name, id, strings.ToUpper(id), 1),
	} {
		out, code := w.call(home, "StopEventDataStoreIngestion", object{"EventDataStore": name})
		if code != "EventDataStoreARNInvalidException" && code != "ValidationException" {
			t.Errorf("it is found as %s: %s %v", name, code, out)
		}
	}
	for n := range maxStores {
		_, code := w.call(home, "CreateEventDataStore", object{"Name": fmt.Sprintf("store-%d", n)})
		if full := n == maxStores-1; full != (code == "EventDataStoreMaxLimitExceededException") {
			t.Errorf("store %d: %s", n, code)
		}
	}
}

// TestTagsAreOfStores: to list tags is decided on each store that is named.
func TestTagsAreOfStores(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var names []any
	for n := range 2 {
		made := w.must("CreateEventDataStore", object{"Name": fmt.Sprintf("store-%d", n),
			"TagsList": []object{{"Key": "team", "Value": "blue"}}})
		names = append(names, made["EventDataStoreArn"])
	}
	out := w.must("ListTags", object{"ResourceIdList": names})
	if list := fmt.Sprint(out["ResourceTagList"]); strings.Count(list, "Value:blue") != 2 {
		t.Error(list)
	}
	if _, code := w.call(abroad, "ListTags", object{"ResourceIdList": names}); code !=
		"AccessDeniedException" {
		t.Errorf("another account: %q", code)
	}
	events, _, err := w.log.Lookup(t.Context(), audit.Query{Account: home, Region: "us-east-1",
		Attribute: "EventName", Value: "ListTags"})
	if err != nil || len(events) != 1 || len(events[0].Resources) != 2 ||
		events[0].Resources[1].ARN != names[1] {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestStoresOfAccount: an account cannot make stores without end in Regions that it makes
// up; another account has room.
func TestStoresOfAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(account string, n int) string {
		t.Helper()
		_, text := w.send(account, fmt.Sprintf("xx-made-%d", n/(maxStores-1)), "cloudtrail",
			api.API.TargetPrefix+".CreateEventDataStore", "application/x-amz-json-1.1",
			fmt.Sprintf(`{"Name":"store-%d"}`, n))
		return text
	}
	for n := range maxOwnStores {
		if out := create(home, n); !strings.Contains(out, "CREATED") {
			t.Fatalf("store %d: %s", n, out)
		}
	}
	out := create(home, maxOwnStores)
	if !strings.Contains(out, "EventDataStoreMaxLimitExceededException") {
		t.Error(out)
	}
	if out := create(abroad, 0); !strings.Contains(out, "CREATED") {
		t.Error(out)
	}
}

// TestSelectorsRefused: selectors that AWS refuses, or that select what Coffer has not.
func TestSelectorsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	category := field("eventCategory", "Equals", "Data")
	for name, list := range map[string][]object{
		"no category":      selectors([]object{field("eventName", "Equals", "X")}),
		"category insight": selectors([]object{field("eventCategory", "Equals", "Insight")}),
		"category not":     selectors([]object{field("eventCategory", "NotEquals", "Data")}),
		"no type":          selectors([]object{category}),
		"type of S3": selectors([]object{category,
			field("resources.type", "Equals", "AWS::S3::Object")}),
		"type begins": selectors([]object{category,
			field("resources.type", "StartsWith", "AWS::AmazonMQ::Queue")}),
		"twice": selectors(append([]object{field("eventName", "Equals", "X"),
			field("eventName", "Equals", "Y")}, dataFields...)),
		"no operator":   selectors(append([]object{field("eventName")}, dataFields...)),
		"unknown field": selectors(append([]object{field("colour", "Equals", "X")}, dataFields...)),
		"read only what": selectors(append([]object{field("readOnly", "Equals", "maybe")},
			dataFields...)),
		"ARN of management": selectors([]object{field("eventCategory", "Equals", "Management"),
			field("resources.ARN", "Equals", "x")}),
	} {
		out, code := w.call(home, "CreateEventDataStore",
			object{"Name": "store", "AdvancedEventSelectors": list})
		if code != "InvalidEventSelectorsException" {
			t.Errorf("%s: %s %v", name, code, out)
		}
	}
	values := []any{}
	for n := range maxConditions {
		values = append(values, fmt.Sprint(n))
	}
	many := append([]object{{"Field": "eventName", "Equals": values}}, dataFields...)
	if _, code := w.call(home, "CreateEventDataStore", object{"Name": "store",
		"AdvancedEventSelectors": selectors(many)}); code != "InvalidEventSelectorsException" {
		t.Errorf("%d conditions: %s", maxConditions+2, code)
	}
}

// TestSelects: which events selectors select, from memory, at once, after each change
// and after a start.
func TestSelects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const broker = "arn:aws:mq:us-east-1:" + home + ":broker:main:b-1"
	event := DataEvent{Account: home, Region: "us-east-1", Type: audit.TypeQueue,
		Source: "amazonmq.amazonaws.com",
		Name:   "PublishMessage", Resource: broker + "/%2F/orders"}
	with := func(more ...object) []object { return selectors(append(more, dataFields...)) }
	if w.svc.Any() || w.svc.Selects(&event) {
		t.Error("something is selected")
	}
	arn := w.must("CreateEventDataStore", object{"Name": "one",
		"MultiRegionEnabled": false})["EventDataStoreArn"]
	if w.svc.Any() {
		t.Error("management events are data events")
	}
	for name, c := range map[string]struct {
		list []object
		want bool
	}{
		"all":        {with(), true},
		"queue":      {with(field("resources.ARN", "Equals", event.Resource)), true},
		"another":    {with(field("resources.ARN", "Equals", event.Resource+"x")), false},
		"broker":     {with(field("resources.ARN", "StartsWith", broker+"/")), true},
		"not broker": {with(field("resources.ARN", "NotStartsWith", broker)), false},
		"ends":       {with(field("resources.ARN", "EndsWith", "/orders")), true},
		"not ends":   {with(field("resources.ARN", "NotEndsWith", "/orders")), false},
		"name":       {with(field("eventName", "Equals", "PublishMessage")), true},
		"not name":   {with(field("eventName", "NotEquals", "PublishMessage")), false},
		"both": {with(field("eventName", "Equals", "X"),
			field("readOnly", "Equals", "false")), false},
		"writes":          {with(field("readOnly", "Equals", "false")), true},
		"reads":           {with(field("readOnly", "Equals", "true")), false},
		"second selector": {append(with(field("readOnly", "Equals", "true")), with()...), true},
	} {
		w.changes = 0
		w.must("UpdateEventDataStore", object{"EventDataStore": arn,
			"AdvancedEventSelectors": c.list})
		again := New(w.db, w.log, Config{})
		if err := again.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Service{w.svc, again} {
			if got := s.Selects(&event); got != c.want || !s.Any() {
				t.Errorf("%s: %t, want %t", name, got, c.want)
			}
		}
		if w.changes != 1 {
			t.Errorf("%s: told of %d changes", name, w.changes)
		}
	}
	w.must("UpdateEventDataStore", object{"EventDataStore": arn, "AdvancedEventSelectors": with()})
	foreign, elsewhere, other := event, event, event
	foreign.Account, elsewhere.Region, other.Type = abroad, "eu-west-1", audit.TypeSQS
	if w.svc.Selects(&foreign) || w.svc.Selects(&elsewhere) || w.svc.Selects(&other) {
		t.Error("another account, Region or type of resource is selected")
	}
	w.must("UpdateEventDataStore", object{"EventDataStore": arn, "MultiRegionEnabled": true})
	if !w.svc.Selects(&elsewhere) {
		t.Error("another Region is not selected")
	}
	w.must("StopEventDataStoreIngestion", object{"EventDataStore": arn})
	if w.svc.Selects(&event) || w.svc.Any() {
		t.Error("a store that was stopped selects")
	}
}

// TestKept: data events stay as long as the longest store of the account wants, and
// as long as all events at least.
func TestKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("CreateEventDataStore", object{"Name": "short", "RetentionPeriod": 7})
	w.must("CreateEventDataStore", object{"Name": "long", "RetentionPeriod": 1000,
		"MultiRegionEnabled": false})
	from, err := w.svc.Kept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		account, region string
		days            int
	}{{home, "us-east-1", 1000}, {home, "eu-west-1", 90}, {abroad, "us-east-1", 90}} {
		if got := from(c.account, c.region); !got.Equal(w.now.AddDate(0, 0, -c.days)) {
			t.Errorf("%+v: from %v", c, got)
		}
	}
}
