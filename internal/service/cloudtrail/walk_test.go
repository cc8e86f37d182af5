package cloudtrail

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/store/embedded"
)

// TestPagesMeanwhile walks all events while others are made in both shards: each
// that was there at the beginning is given, once and in order, and nothing twice.
func TestPagesMeanwhile(t *testing.T) {
	t.Parallel()
	engine, err := embedded.Open(embedded.Config{Dir: t.TempDir(), Shards: 2})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	w := newWorldOn(t, engine)
	const count = 1000
	w.fill(count)
	stop := w.writeLate(4)
	next, seen := count-1, map[any]bool{}
	for in := (object{"MaxResults": 23}); ; {
		status, out := w.lookup(home, in)
		if status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		for _, e := range out["Events"].([]any) {
			id := e.(object)["EventId"].(string)
			if seen[id] {
				t.Fatalf("%s comes twice", id)
			}
			if seen[id] = true; !strings.HasPrefix(id, "id-") {
				continue
			}
			if id != fmt.Sprintf("id-%07d", next) {
				t.Fatalf("%s where %d is expected", id, next)
			}
			next--
		}
		if in["NextToken"] = out["NextToken"]; in["NextToken"] == nil {
			break
		}
	}
	if stop(); next != -1 {
		t.Errorf("%d events were not given", next+1)
	}
}

// writeLate makes events in the second after those of fill, lane by lane, the
// first lane with effects, until the function it gives is called.
func (w *world) writeLate(lanes int) (stop func()) {
	over := make(chan struct{})
	var writers sync.WaitGroup
	base := w.now
	write := func(lane, n int) error {
		e := &audit.Event{
			EventTime: base.Add(time.Duration(n) * time.Microsecond), EventName: "Late",
			AWSRegion: "us-east-1", RecipientAccountID: home, ReadOnly: lane > 0,
			EventID: fmt.Sprintf("late-%d-%d", lane, n),
		}
		if lane > 0 {
			return w.log.Record(context.Background(), e)
		}
		return w.db.Update(context.Background(), func(_ context.Context, tx *control.Tx) error {
			return w.log.Append(tx, e)
		})
	}
	for lane := range lanes {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				if err := write(lane, n); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	return func() {
		close(over)
		writers.Wait()
	}
}
