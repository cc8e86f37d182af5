package storetest

import (
	"errors"
	"fmt"
	"testing"
)

// fullTries are the attempts of which a full disk takes none.
const fullTries = 5

// RunFull plays a script once for every stride-th change of the disk, which is
// full from then on for some attempts; writes are made by half. The engine must
// go on by itself when there is room, without a call of fatal, and lose nothing;
// only while it is being opened or closed it may give up instead.
func RunFull(t testing.TB, stride int, open OpenDisk) {
	opened := 0
	for n := 1; ; n += stride {
		struck, whole := fullAt(t, n, open)
		if !struck {
			t.Logf("full at each of %d changes, %d plays went on", n-1, opened)
			if opened < n/stride/3 {
				t.Errorf("only %d plays went on", opened)
			}
			return
		}
		if t.Failed() {
			return
		}
		if whole {
			opened++
		}
	}
}

// fullAt reports whether change n was met and whether the script was played to
// its end.
func fullAt(t testing.TB, n int, open OpenDisk) (struck, whole bool) {
	h := newHistory()
	disk := NewDisk()
	tries := 0
	var first Change
	disk.OnChange(func(c Change) error {
		if c.N < n || tries == fullTries || c.Op == "sync" || c.Op == "remove" {
			return nil
		}
		if tries++; tries == 1 {
			first = c
		}
		return ErrFull
	})
	err := h.play(disk, open, func(err error) {
		t.Errorf("full at change %d: fatal: %v", n, err)
	})
	disk.OnChange(nil)
	if tries == 0 {
		return false, true
	}
	what := fmt.Sprintf("full at change %d (%s %s)", n, first.Op, first.Name)
	if err != nil && !errors.Is(err, ErrFull) {
		t.Errorf("%s: %v", what, err)
	}
	h.audit(t, what, disk.Image(keptPercents[n%3], uint64(n)), open, h.acked(), h.proposed())
	return true, err == nil
}
