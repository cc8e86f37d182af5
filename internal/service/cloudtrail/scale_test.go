package cloudtrail

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/store/embedded"
)

// TestLookupScale prints how long LookupEvents takes over many events of one
// account and Region in a store on disk: the whole request, whose own event is
// synced before the answer. It is a target of its own: COFFER_LOOKUP is the number
// of events; without it there are few, and only the answers count.
func TestLookupScale(t *testing.T) {
	t.Parallel()
	count, rounds := 400, 2
	if text := os.Getenv("COFFER_LOOKUP"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		count, rounds = n, 300
	}
	engine, err := embedded.Open(embedded.Config{Dir: t.TempDir(), Shards: 2})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	w := newWorldOn(t, engine)
	begun := time.Now()
	w.fill(count)
	if rounds > 2 {
		t.Logf("%d events were made in %.0f s", count, time.Since(begun).Seconds())
	}
	by := func(key, value string) object {
		return object{"LookupAttributes": []object{{"AttributeKey": key, "AttributeValue": value}}}
	}
	middle := w.now.Add(-40 * 24 * time.Hour).Unix()
	deep := func(in object) object { // a page far behind the first, without walking there
		in["EndTime"] = w.now.Add(-79 * 24 * time.Hour).Unix()
		return in
	}
	t.Logf("| %d events | p50 ms | p99 ms | worst ms |", count)
	t.Log("| --- | --- | --- | --- |")
	for _, c := range []struct {
		name string
		in   object
		want int // events of a page
	}{
		{"unfiltered", object{}, 50},
		{"EventId", by("EventId", fmt.Sprintf("id-%07d", count/2)), 1},
		{"EventName", by("EventName", "Encrypt"), 50},
		{"EventSource", by("EventSource", "kms.amazonaws.com"), 50},
		{"ReadOnly", by("ReadOnly", "false"), 50},
		{"Username", by("Username", "user-7"), min(50, count/100)},
		{"AccessKeyId", by("AccessKeyId", "AKIA7"), min(50, count/100)},
		{"ResourceType", by("ResourceType", "AWS::KMS::Key"), 50},
		{"ResourceName, ARN", by("ResourceName", keyARN+"7"), min(50, count/100)},
		{"ResourceName, id", by("ResourceName", "7"), min(50, count/100)},
		{"nothing found", by("Username", "nobody"), 0},
		{"one hour", object{"StartTime": middle, "EndTime": middle + 3600}, -1},
		{"deep", deep(object{}), -1},
		{"deep, EventName", deep(by("EventName", "Encrypt")), -1},
	} {
		times := make([]time.Duration, rounds)
		for i := range times {
			begun := time.Now()
			status, out := w.lookup(home, c.in)
			times[i] = time.Since(begun)
			got := len(out["Events"].([]any))
			some := c.want < 0 && (count < 1e4 || got >= 10)
			if status != 200 || !some && got != c.want {
				t.Fatalf("%s: %d, %d events, want %d", c.name, status, got, c.want)
			}
		}
		slices.Sort(times)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		t.Logf("| %s | %.1f | %.1f | %.1f |", c.name, ms(times[rounds/2]),
			ms(times[rounds*99/100]), ms(times[rounds-1]))
		if p50 := times[rounds/2]; rounds > 2 && p50 > 100*time.Millisecond {
			t.Errorf("%s: half of the answers take more than %v", c.name, p50)
		}
	}
}

const keyARN = "arn:aws:kms:us-east-1:" + home + ":key/"

// fill makes events over the 80 days before now, half of them with effects.
func (w *world) fill(count int) {
	w.t.Helper()
	step := 80 * 24 * time.Hour / time.Duration(count)
	make := func(n int) *audit.Event {
		who := strconv.Itoa(n % 100)
		return &audit.Event{
			EventVersion: "1.08", EventTime: w.now.Add(-step * time.Duration(count-n)),
			EventSource: "kms.amazonaws.com", EventName: []string{"Encrypt", "Decrypt"}[n%2],
			AWSRegion: "us-east-1", RecipientAccountID: home, SourceIPAddress: "192.0.2.1",
			EventID: fmt.Sprintf("id-%07d", n), ReadOnly: n%3 == 0, EventType: "AwsApiCall",
			ManagementEvent: true, EventCategory: "Management", RequestID: strconv.Itoa(n),
			UserIdentity: audit.Identity{Type: "IAMUser", AccountID: home,
				UserName: "user-" + who, AccessKeyID: "AKIA" + who},
			RequestParameters: map[string]any{"encryptionContext": map[string]any{"n": n}},
			Resources: []audit.Resource{
				{AccountID: home, Type: "AWS::KMS::Key", ARN: keyARN + who}},
		}
	}
	var wg sync.WaitGroup
	const lanes = 512 // of the last shard
	for lane := range lanes {
		wg.Go(func() {
			for n := 2*lane + 1; n < count; n += 2 * lanes {
				if err := w.log.Record(context.Background(), make(n)); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	const unit = 1000 // of shard 0
	for from := 0; from < count; from += unit {
		must(w.t, w.db.Update(context.Background(), func(_ context.Context, tx *control.Tx) error {
			for n := from; n < min(from+unit, count); n += 2 {
				if err := w.log.Append(tx, make(n)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	wg.Wait()
}
