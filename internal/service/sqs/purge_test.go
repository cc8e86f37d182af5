package sqs

import (
	"context"
	"testing"
	"time"

	"coffer/internal/control"
)

// TestPurgeCutByCrash: a purge that was noted when the process ended is done by the next
// start, and by no other.
func TestPurgeCutByCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", nil)
	w.send(url, "a", "b")
	must(t, w.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		return w.svc.change(tx, address{realmName{home, here}, "orders"}, func(r *row) error {
			r.Purged, r.Purging = tx.Time(), true
			return nil
		})
	}))
	w.crash()
	if got := w.receive(url, nil); len(got) > 0 {
		t.Errorf("after the purge: %q", texts(got))
	}
	w.refused("ROOT", "PurgeQueue", object{"QueueUrl": url},
		"AWS.SimpleQueueService.PurgeQueueInProgress", "every 60 seconds")
	w.send(url, "c")
	w.crash()
	if got := w.bodies(url, 1); got[0] != "c" {
		t.Errorf("received %q", got)
	}
	w.pass(time.Minute)
	w.do("PurgeQueue", object{"QueueUrl": url})
	w.send(url, "d")
	w.crash()
	if got := w.bodies(url, 1); got[0] != "d" {
		t.Errorf("received %q", got)
	}
}
