package kms

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"coffer/internal/fault"
)

// TestRates: KMS-05: a configured rate throttles, per operation, account and
// Region, and comes back with time; nothing is throttled unless it is configured,
// and services never are.
func TestRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	rates, err := ParseRates("ListKeys=2,Cryptographic=3,Encrypt=1")
	if err != nil {
		t.Fatal(err)
	}
	w.svc.rates = buckets{rates: rates, now: func() time.Time { return w.now }}
	const throttled = "400 ThrottlingException: You have exceeded the rate at which you may call " +
		"KMS. Reduce the frequency of your calls."
	list := func(who string) string { return w.do(who, "ListKeys", "{}") }
	encrypt := `{"KeyId":"` + name + `","Plaintext":"aGk="}`
	key := `{"KeyId":"` + name + `","NumberOfBytes":8}`
	for i, want := range []string{"200", "200", throttled, throttled} {
		if got := list("root"); !strings.HasPrefix(got, want) {
			t.Errorf("list %d: %s", i, got)
		}
	}
	for _, who := range []string{"root@eu-west-1", "other"} {
		if got := list(who); !strings.HasPrefix(got, "200") {
			t.Errorf("%s: %s", who, got)
		}
	}
	w.now = w.now.Add(499 * time.Millisecond)
	if got := list("root"); got != throttled {
		t.Errorf("too early: %s", got)
	}
	w.now = w.now.Add(time.Millisecond)
	if got := list("root"); !strings.HasPrefix(got, "200") {
		t.Errorf("after half a second: %s", got)
	}
	// An operation's own rate comes before the shared one; who is denied counts too.
	if got := w.do("alice", "Encrypt", encrypt); !strings.HasPrefix(got, "400 AccessDenied") {
		t.Error(got)
	}
	if got := w.do("root", "Encrypt", encrypt); got != throttled {
		t.Errorf("encrypt: %s", got)
	}
	for i, want := range []string{"200", "200", "200", throttled} {
		op := []string{"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"}[i%2]
		if got := w.do("root", op, key); !strings.HasPrefix(got, want) {
			t.Errorf("%s %d: %s", op, i, got)
		}
	}
	for range 10 {
		if got := w.do("mq", "Encrypt", encrypt); strings.Contains(got, "exceeded the rate") {
			t.Fatalf("a service: %s", got)
		}
		got := w.do("root", "DescribeKey", `{"KeyId":"`+name+`"}`)
		if !strings.HasPrefix(got, "200") {
			t.Fatalf("what has no rate: %s", got)
		}
	}
}

// TestParseRates reads settings.
func TestParseRates(t *testing.T) {
	t.Parallel()
	if r, err := ParseRates(""); len(r) != 0 || err != nil {
		t.Errorf("%v, %v", r, err)
	}
	r, err := ParseRates("aws, CreateGrant=0.5")
	if err != nil || r["CreateGrant"] != 0.5 || r["DescribeKey"] != 2000 || r["CreateKey"] != 5 {
		t.Errorf("%v, %v", r, err)
	}
	again, err := ParseRates(r.String())
	if err != nil || again.String() != r.String() {
		t.Errorf("%v, %v", again, err)
	}
	for _, text := range []string{
		"AWS", "CreateGrant", "CreateGrant=", "CreateGrant=0", "CreateGrant=-1", "CreateGrant=NaN",
		"CreateGrant=Inf", "createGrant=1", "Nothing=1", ",", "aws,,", "=1", "CreateGrant=1=1",
	} {
		if r, err := ParseRates(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}

// TestManyBuckets: callers of many accounts take no more than their share of memory.
func TestManyBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.svc.rates = buckets{rates: Rates{"ListKeys": 5}, now: func() time.Time { return w.now }}
	w.do("root", "ListKeys", "{}")
	for i := range maxBuckets {
		w.svc.rates.all[bucketName{account: fmt.Sprint(i), rate: "ListKeys"}] = &bucket{5, w.now}
	}
	w.do("other", "ListKeys", "{}")
	if n := len(w.svc.rates.all); n != 2 {
		t.Errorf("%d buckets", n)
	}
}
