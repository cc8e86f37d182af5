package embedded

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &quarantine{}
		if q.paused() {
			t.Error("paused without a reason")
		}
		for n, want := range []time.Duration{
			time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		} {
			if got := q.backOff(); got != want || !q.paused() {
				t.Errorf("attempt %d: a pause of %v", n, got)
			}
			<-time.After(want)
			if q.paused() {
				t.Errorf("attempt %d: the pause does not end", n)
			}
		}
		for range 100 {
			q.backOff()
		}
		if got := q.backOff(); got != pauseMost {
			t.Errorf("at last a pause of %v", got)
		}
	})
}
