package node

import (
	"runtime"
	"testing"
	"time"

	"coffer/internal/audit"
)

// TestOldEventsGo: a start removes events that nobody can look up any more.
func TestOldEventsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ids := []string{"gone", "kept"}
	for i, age := range []time.Duration{audit.Retention + time.Hour, audit.Retention - time.Hour} {
		err := w.n.trail.Record(t.Context(), &audit.Event{
			EventVersion: "1.08", EventTime: time.Now().Add(-age), EventName: "Old",
			EventSource: "kms.amazonaws.com", AWSRegion: Region, RecipientAccountID: Account,
			EventID: ids[i], ReadOnly: true, EventCategory: "Management",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left := func() (list []string) {
		events, _, err := w.n.trail.Lookup(t.Context(), audit.Query{
			Account: Account, Region: Region, Attribute: "EventName", Value: "Old"})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			list = append(list, e.EventID)
		}
		return list
	}
	if list := left(); len(list) != 2 {
		t.Fatalf("there are %v", list)
	}
	w.stop()
	w.start()
	deadline := time.Now().Add(time.Minute)
	for list := left(); len(list) != 1 || list[0] != "kept"; list = left() {
		if time.Now().After(deadline) {
			t.Fatalf("left are %v\n%s", list, w.log.String())
		}
		runtime.Gosched()
	}
}
