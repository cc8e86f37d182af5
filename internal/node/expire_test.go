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
	w.stop() // else the one that serves could remove it
	left := func(n *Node) (list []string) {
		events, _, err := n.trail.Lookup(t.Context(), audit.Query{
			Account: Account, Region: Region, Attribute: "EventName", Value: "Old"})
		must(t, err)
		for _, e := range events {
			list = append(list, e.EventID)
		}
		return list
	}
	cfg := w.cfg
	must(t, cfg.fill())
	must(t, alone(t.Context(), &cfg, func(n *Node) error {
		for id, age := range map[string]time.Duration{
			"gone": audit.Retention + time.Hour, "kept": audit.Retention - time.Hour,
		} {
			err := n.trail.Record(t.Context(), &audit.Event{
				EventVersion: "1.08", EventTime: time.Now().Add(-age), EventName: "Old",
				EventSource: "kms.amazonaws.com", AWSRegion: Region, RecipientAccountID: Account,
				EventID: id, ReadOnly: true, EventCategory: "Management",
			})
			if err != nil {
				return err
			}
		}
		if list := left(n); len(list) != 2 {
			t.Errorf("there are %v", list)
		}
		return nil
	}, (*Node).openServices))
	w.start()
	deadline := time.Now().Add(time.Minute)
	for list := left(w.n); len(list) != 1 || list[0] != "kept"; list = left(w.n) {
		if time.Now().After(deadline) {
			t.Fatalf("left are %v\n%s", list, w.log.String())
		}
		runtime.Gosched()
	}
}
