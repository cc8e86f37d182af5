package cloudtrail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	api "coffer/internal/aws/api/cloudtrail"
	stsapi "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
	"coffer/internal/service/sts"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const (
	home   = "111122223333"
	abroad = "444455556666"
)

// world is CloudTrail and STS behind the real gateway.
type world struct {
	t  testing.TB
	mu sync.Mutex // held to move now
	// changes counts calls of Config.Changed.
	changes int
	now     time.Time
	db      *control.DB
	log     *audit.Log
	svc     *Service
	gw      *gateway.Gateway
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, memory.New(memory.Config{Shards: 2}))
}

// newWorldOn is a world on the engine's two shards.
func newWorldOn(t testing.TB, engine store.Engine) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 6, 2, 3, 4, 5, 0, time.UTC)}
	zero, err := engine.Open(context.Background(), 0)
	must(t, err)
	last, err := engine.Open(context.Background(), 1)
	must(t, err)
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	w.db, err = control.Open(context.Background(), zero, bytes.Repeat([]byte{7}, 32),
		control.Config{Now: clock})
	must(t, err)
	w.log, err = audit.Open(t.Context(), w.db, last, 1, audit.Config{})
	must(t, err)
	t.Cleanup(w.log.Close)
	w.svc = New(w.db, w.log, Config{Now: clock, Changed: func() { w.changes++ }})
	w.gw, err = gateway.New(w.db, w.log, w, []gateway.Service{
		{API: &api.API, Impl: w.svc, Access: w.svc}, {API: &stsapi.API, Impl: &sts.Service{}},
	}, gateway.Config{Now: clock,
		Events: gateway.Events{Recorded: audittest.Recorded(t)}})
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Identity implements gateway.Identities: the access key is A and the account.
func (w *world) Identity(_ context.Context, name, _ string) (*gateway.Identity, error) {
	account := strings.TrimPrefix(name, "A")
	if account != home && account != abroad {
		return nil, fault.New(fault.Unauthenticated, "nobody is called %s", name)
	}
	p := policy.RootPrincipal(account)
	return &gateway.Identity{Secret: sigv4.NewSecret("secret"), Principal: p,
		Event: audit.Identity{Type: "Root", PrincipalID: account, ARN: p.ARN,
			AccountID: account, AccessKeyID: name}}, nil
}

func (w *world) send(account, region, service, target, contentType, body string) (int, string) {
	w.t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(time.Second)
	now := w.now
	w.mu.Unlock()
	r := httptest.NewRequest(http.MethodPost, "https://localhost/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	key := sigv4.Key{AccessKeyID: "A" + account, Secret: sigv4.NewSecret("secret")}
	sigv4.Sign(r, []byte(body), key, region, service, now)
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

type object = map[string]any

// lookup asks for events.
func (w *world) lookup(account string, in object) (int, object) {
	w.t.Helper()
	return w.ask(account, "LookupEvents", in)
}

// ask calls an operation.
func (w *world) ask(account, op string, in object) (int, object) {
	w.t.Helper()
	body, err := json.Marshal(in)
	must(w.t, err)
	status, text := w.send(account, "us-east-1", "cloudtrail",
		api.API.TargetPrefix+"."+op, "application/x-amz-json-1.1", string(body))
	out := object{}
	must(w.t, json.Unmarshal([]byte(text), &out))
	return status, out
}

// whoami makes an event of STS.
func (w *world) whoami(account, region string) string {
	w.t.Helper()
	status, text := w.send(account, region, "sts", "", "application/x-www-form-urlencoded",
		"Action=GetCallerIdentity&Version=2011-06-15")
	if status != 200 {
		w.t.Fatalf("%d %s", status, text)
	}
	return text
}

// TestCallerIdentity answers who signed, in XML.
func TestCallerIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := w.whoami(home, "us-east-1")
	for _, want := range []string{"<Arn>arn:aws:iam::" + home + ":root</Arn>",
		"<Account>" + home + "</Account>", "<UserId>" + home + "</UserId>"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

// TestLookup finds events of the account and Region by an attribute, newest
// first, in pages (CT-01).
func TestLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.whoami(home, "us-east-1")
	}
	w.whoami(abroad, "us-east-1")
	w.whoami(home, "eu-west-1")
	by := []object{{"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}}
	var times []float64
	token := ""
	for pages := 1; ; pages++ {
		in := object{"LookupAttributes": by, "MaxResults": 2}
		if token != "" {
			in["NextToken"] = token
		}
		status, out := w.lookup(home, in)
		if status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		for _, e := range out["Events"].([]any) {
			e := e.(object)
			times = append(times, e["EventTime"].(float64))
			var full object
			must(t, json.Unmarshal([]byte(e["CloudTrailEvent"].(string)), &full))
			if e["EventId"] != full["eventID"] || e["Username"] != "root" ||
				e["ReadOnly"] != "true" || e["EventSource"] != "sts.amazonaws.com" ||
				e["AccessKeyId"] != "A"+home ||
				full["recipientAccountId"] != home || full["awsRegion"] != "us-east-1" {
				t.Errorf("%v", e)
			}
		}
		next, more := out["NextToken"].(string)
		if !more {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		token = next
	}
	if len(times) != 5 {
		t.Fatalf("%d events", len(times))
	}
	for i := 1; i < len(times); i++ {
		if times[i] >= times[i-1] {
			t.Errorf("not newest first: %v", times)
		}
	}
}

// TestTokenIsOfItsQuery: a token is good for the query that gave it, with pages
// of any size, and for no other.
func TestTokenIsOfItsQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 4 {
		w.whoami(home, "us-east-1")
	}
	by := func(key, value string) []object {
		return []object{{"AttributeKey": key, "AttributeValue": value}}
	}
	start, end := w.now.Unix()-100, w.now.Unix()+100
	ask := func() object {
		return object{"LookupAttributes": by("EventName", "GetCallerIdentity"),
			"StartTime": start, "EndTime": end, "MaxResults": 1}
	}
	_, first := w.lookup(home, ask())
	token, _ := first["NextToken"].(string)
	for name, c := range map[string]struct {
		account string
		change  object
		status  int
	}{
		"the same":          {home, object{}, 200},
		"longer pages":      {home, object{"MaxResults": 50}, 200},
		"another account":   {abroad, object{}, 400},
		"another value":     {home, object{"LookupAttributes": by("EventName", "x")}, 400},
		"another attribute": {home, object{"LookupAttributes": by("ReadOnly", "true")}, 400},
		"no attribute":      {home, object{"LookupAttributes": nil}, 400},
		"another start":     {home, object{"StartTime": start + 1}, 400},
		"no start":          {home, object{"StartTime": nil}, 400},
		"another end":       {home, object{"EndTime": end - 1}, 400},
		"insights":          {home, object{"EventCategory": "insight"}, 400},
		"empty":             {home, object{"NextToken": ""}, 400},
		"one letter less":   {home, object{"NextToken": token[:len(token)-1]}, 400},
	} {
		in := ask()
		in["NextToken"] = token
		for k, v := range c.change {
			if in[k] = v; v == nil {
				delete(in, k)
			}
		}
		status, out := w.lookup(c.account, in)
		if status != c.status || status == 400 && out["__type"] != "InvalidNextTokenException" {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
}

// TestLookupRefused: what LookupEvents does not take.
func TestLookupRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attribute := object{"AttributeKey": "EventName", "AttributeValue": "x"}
	for name, c := range map[string]struct {
		in   object
		code string
	}{
		"two attributes": {object{"LookupAttributes": []object{attribute, attribute}},
			"InvalidLookupAttributesException"},
		"no such attribute": {object{"LookupAttributes": []object{
			{"AttributeKey": "Colour", "AttributeValue": "x"}}}, "ValidationException"},
		"backwards": {object{"StartTime": 200, "EndTime": 100}, "InvalidTimeRangeException"},
		"none":      {object{"MaxResults": 0}, "ValidationException"},
		"too many":  {object{"MaxResults": 51}, "ValidationException"},
	} {
		status, out := w.lookup(home, c.in)
		if status != 400 || out["__type"] != c.code {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
}

// TestLookupTimes: both ends are inclusive, to the second that events show, and
// nothing older than the retention is found.
func TestLookupTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.whoami(home, "us-east-1")
	first := w.now.Unix()
	w.whoami(home, "us-east-1")
	count := func(from, to any) int {
		in := object{"LookupAttributes": []object{
			{"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}}}
		if from != nil {
			in["StartTime"] = from
		}
		if to != nil {
			in["EndTime"] = to
		}
		status, out := w.lookup(home, in)
		if status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		return len(out["Events"].([]any))
	}
	got := fmt.Sprint(count(first, first), count(first, first+1), count(first+1, nil),
		count(nil, first-1), count(nil, nil))
	if got != "1 2 1 0 2" {
		t.Errorf("found %s", got)
	}
	w.now = w.now.Add(audit.Retention - 6*time.Second)
	if n := count(nil, nil); n != 1 { // the lookups above took time
		t.Errorf("%d of the last 90 days", n)
	}
	w.now = w.now.Add(time.Hour)
	if n := count(first, nil); n != 0 {
		t.Errorf("%d older than 90 days", n)
	}
}

// TestInsights: there are no insight events, and asking is no error.
func TestInsights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.whoami(home, "us-east-1")
	if status, out := w.lookup(home, object{"EventCategory": "insight"}); status != 200 ||
		out["NextToken"] != nil || len(fmt.Sprint(out["Events"])) > len("<nil>") {
		t.Errorf("%d %v", status, out)
	}
}

// FuzzOpenToken: only tokens of the same query open, and they give back their
// cursor.
func FuzzOpenToken(f *testing.F) {
	w := newWorld(f)
	engine := memory.New(memory.Config{Shards: 1})
	shard, err := engine.Open(context.Background(), 0)
	must(f, err)
	db, err := control.Open(context.Background(), shard, bytes.Repeat([]byte{7}, 32),
		control.Config{})
	must(f, err)
	s := New(db, w.log, Config{})
	call := &gateway.Call{Account: home, Region: "us-east-1"}
	ours := s.binding(call, &api.LookupEventsInput{})
	other := s.binding(call, &api.LookupEventsInput{EndTime: time.Unix(1, 0)})
	f.Add("", []byte("cursor"))
	f.Add(ours.seal([]byte("another")), []byte{})
	f.Add(strings.Repeat("A", 44), []byte{1})
	f.Fuzz(func(t *testing.T, token string, cursor []byte) {
		if got, ok := ours.open(token); ok && ours.seal(got) != token {
			t.Errorf("%q opens", token)
		}
		sealed := ours.seal(cursor)
		got, ok := ours.open(sealed)
		if ok != (len(cursor) > 0) || ok && !bytes.Equal(got, cursor) {
			t.Errorf("%x: %x %v", cursor, got, ok)
		}
		if _, ok := other.open(sealed); ok {
			t.Errorf("%q opens for another query", sealed)
		}
	})
}
