package seglog_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/storetest"
)

var errDisk = errors.New("the disk failed")

// kept gives the percentage of what was not synced that a crash at a change keeps.
func kept(n int) int { return []int{0, 50, 100, 80}[n%4] }

// An image is a disk after a crash.
type image struct {
	what  string
	disk  *storetest.Disk
	marks marks
}

// crashes takes an image of a disk before every change.
func crashes(disk *storetest.Disk, what string, marks func() marks) *[]image {
	var all []image
	disk.OnChange(func(c storetest.Change) error {
		keep := kept(c.N)
		all = append(all, image{
			what: fmt.Sprintf("%scrash before change %d (%s %s), %d%% kept",
				what, c.N, c.Op, c.Name, keep),
			marks: marks(), disk: disk.Lose(keep, uint64(c.N)),
		})
		return nil
	})
	return &all
}

// TestCrash crashes at every change of the disk, then at the changes that the next
// start and its first records make: nothing that was acknowledged is lost or
// changed, and what follows is appended in order, whole.
func TestCrash(t *testing.T) {
	t.Parallel()
	disk, p := newDisk(t), newTape()
	first := crashes(disk, "", p.marks)
	fail := func(err error) { t.Errorf("fail without a fault: %v", err) }
	if err := p.play(disk, fail); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	if len(*first) < 200 {
		t.Fatalf("only %d crashes", len(*first))
	}
	again := 0
	for i, im := range *first {
		second := survive(t, im, i%8 == 0)
		for _, im := range second {
			survive(t, im, false)
		}
		again += len(second)
	}
	if again < 200 {
		t.Errorf("only %d crashes after a crash", again)
	}
	t.Logf("%d crashes, %d after one", len(*first), again)
}

// survive starts after a crash, appends, and starts once more. It gives images of
// crashes meanwhile.
func survive(t *testing.T, im image, crash bool) (second []image) {
	t.Helper()
	var mu sync.Mutex
	m := im.marks
	var all *[]image
	if crash {
		all = crashes(im.disk, im.what+", then ", func() marks {
			mu.Lock()
			defer mu.Unlock()
			return m
		})
	}
	l, p, err := reopen(config(im.disk), im.marks)
	if err != nil {
		t.Errorf("%s: %v", im.what, err)
		return nil
	}
	if crash {
		mu.Lock()
		m = p.marks() // what was read may have been answered with
		mu.Unlock()
	}
	for n := range 6 {
		if crash {
			mu.Lock()
			m.appended++
			mu.Unlock()
		}
		_, err = p.append(l)
		if err == nil && n%2 == 1 {
			err = p.wait(l)
		}
		if err != nil {
			t.Errorf("%s: after the start: %v", im.what, err)
		}
		if crash {
			mu.Lock()
			m = p.marks()
			mu.Unlock()
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("%s: close: %v", im.what, err)
	}
	im.disk.OnChange(nil)
	if _, _, _, err := scan(config(im.disk), p.marks()); err != nil {
		t.Errorf("%s: at the end: %v", im.what, err)
	}
	if crash {
		return *all
	}
	return nil
}

// TestFaults lets every change of the disk fail, in turn: the log fails once,
// acknowledges nothing after it, and nothing that it did acknowledge is lost.
func TestFaults(t *testing.T) {
	t.Parallel()
	n := 3 // newDisk made two changes
	for ; fault(t, n); n++ {
		if t.Failed() {
			return
		}
	}
	if n < 200 {
		t.Errorf("only %d changes failed", n)
	}
}

func fault(t *testing.T, n int) (struck bool) {
	disk, p := newDisk(t), newTape()
	var failed storetest.Change
	disk.OnChange(func(c storetest.Change) error {
		if c.N != n {
			return nil
		}
		failed = c
		return errDisk
	})
	var calls []error
	err := p.play(disk, func(err error) { calls = append(calls, err) })
	if failed.N == 0 {
		return false
	}
	what := fmt.Sprintf("failed change %d (%s %s)", n, failed.Op, failed.Name)
	opening := err != nil && strings.HasPrefix(err.Error(), "open: ")
	switch {
	case failed.Op == "remove":
		if err != nil || len(calls) > 0 {
			t.Errorf("%s: %v, %v", what, err, calls)
		}
	case opening:
		if !errors.Is(err, errDisk) || len(calls) > 0 {
			t.Errorf("%s: %v, %v", what, err, calls)
		}
	case len(calls) != 1 || !errors.Is(calls[0], errDisk):
		t.Errorf("%s: fail was called with %v", what, calls)
	case err != nil && !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrLost):
		t.Errorf("%s: %v", what, err)
	}
	im := image{what: what, disk: disk.Image(kept(n), uint64(n)), marks: p.marks()}
	survive(t, im, false)
	return true
}
