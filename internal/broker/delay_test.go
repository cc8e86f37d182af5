package broker

import "testing"

// TestDueWhole compares what the reader brought with what was recorded. Messages
// that came after it was asked may be in the snapshot that it took.
func TestDueWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		found, count int
		next         int64
		fresh, want  bool
	}{
		{2, 2, maxTime, false, true},
		{2, 3, 50, false, true},
		{2, 2, 50, true, true}, // the next is one that came since
		{2, 2, 50, false, false},
		{2, 3, maxTime, false, false},
		{2, 3, maxTime, true, false},
		{3, 2, maxTime, true, false},
		{3, 2, 50, true, false},
	} {
		j := &dueJob{found: make([]dueMessage, c.found), count: int64(c.count), next: c.next}
		if got := j.whole(c.fresh); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
