package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// What a failing disk says; the second after it made the change.
var (
	errDisk      = errors.New("the disk failed")
	errDiskAfter = fmt.Errorf("%w after the change", errDisk)
)

// keptPercents are the shares of what was not synced that crashes leave, in
// turn.
var keptPercents = []int{0, 50, 100}

// An image is a disk after a crash with what it must and may hold.
type image struct {
	what            string
	disk            *Disk
	acked, proposed marks
}

// images takes one of a disk before every stride-th change.
type images struct {
	disk   *Disk
	stride int
	h      *history
	all    []image
}

func (im *images) take(c Change) error {
	if c.N%im.stride == 0 {
		kept := keptPercents[c.N/im.stride%len(keptPercents)]
		acked := im.h.acked()
		disk := im.disk.Lose(kept, uint64(c.N))
		im.all = append(im.all, image{
			what: fmt.Sprintf("crash before change %d (%s %s), %d%% kept",
				c.N, c.Op, c.Name, kept),
			disk: disk, acked: acked, proposed: im.h.proposed(),
		})
	}
	return nil
}

// RunCrash plays a script and crashes at every stride-th change of the disk:
// what was acknowledged must be there after the restart, each batch wholly or
// not at all, and a crash of the restart must not change that. A stride of 1
// is the whole test.
func RunCrash(t testing.TB, stride int, open OpenDisk) {
	h := newHistory()
	disk := NewDisk()
	crashes := &images{disk: disk, stride: stride, h: h}
	disk.OnChange(crashes.take)
	fatal := func(err error) { t.Errorf("fatal without a fault: %v", err) }
	if err := h.play(disk, open, fatal); err != nil {
		t.Fatalf("the script failed without a fault: %v", err)
	}
	disk.OnChange(nil)
	if len(crashes.all) < 100/stride {
		t.Fatalf("only %d crashes: the engine does not write to the disk", len(crashes.all))
	}
	for n, im := range crashes.all {
		if n%40 == 20 {
			crashAgain(t, h, im, stride, open)
		}
		h.audit(t, im.what, im.disk, open, im.acked, im.proposed)
	}
	h.audit(t, "no crash", disk.Image(0, 0), open, h.acked(), h.proposed())
	t.Logf("%d crashes in %d changes", len(crashes.all), disk.changes)
}

// crashAgain crashes at the changes that the start after a crash makes.
func crashAgain(t testing.TB, h *history, first image, stride int, open OpenDisk) {
	disk := first.disk.Image(100, 0)
	again := &images{disk: disk, stride: stride, h: h}
	disk.OnChange(again.take)
	e, err := open(disk, func(err error) { t.Errorf("%s: fatal: %v", first.what, err) })
	if err != nil {
		t.Errorf("%s: open: %v", first.what, err)
		return
	}
	if err := e.Close(); err != nil {
		t.Errorf("%s: close: %v", first.what, err)
	}
	disk.OnChange(nil)
	for _, im := range again.all {
		what := first.what + ", then " + im.what
		h.audit(t, what, im.disk, open, first.acked, first.proposed)
	}
}

// RunFaults plays a script once for every stride-th change of the disk and
// lets that change fail. The engine must refuse to open, or call fatal at
// once; nothing acknowledged until then may be lost. Only a file that could not
// be removed may go unnoticed.
func RunFaults(t testing.TB, stride int, open OpenDisk) {
	for n := 1; ; n += stride {
		if !fault(t, n, open) {
			t.Logf("failed each of %d changes", n-1)
			return
		}
		if t.Failed() {
			return
		}
	}
}

// fault lets change n fail and reports whether there were so many. Every
// second time the change is made all the same.
func fault(t testing.TB, n int, open OpenDisk) bool {
	h := newHistory()
	disk := NewDisk()
	var failed Change
	disk.OnChange(func(c Change) error {
		if c.N != n {
			return nil
		}
		failed = c
		if n%2 == 0 {
			return errDiskAfter
		}
		return errDisk
	})
	var once sync.Once
	var left *image
	calls := 0
	fatal := func(err error) {
		calls++
		once.Do(func() {
			acked := h.acked()
			left = &image{disk: disk.Image(keptPercents[n%3], uint64(n)), acked: acked}
			if !errors.Is(err, errDisk) {
				t.Errorf("change %d: fatal says %v", n, err)
			}
		})
	}
	err := h.play(disk, open, fatal)
	if failed.N == 0 {
		return false
	}
	what := fmt.Sprintf("failed change %d (%s %s)", n, failed.Op, failed.Name)
	switch {
	case calls > 1:
		t.Errorf("%s: fatal was called %d times", what, calls)
	case calls == 0 && err == nil && failed.Op != "remove":
		t.Errorf("%s: the engine went on", what)
	case calls == 0 && err != nil && !strings.HasPrefix(err.Error(), "open: "):
		t.Errorf("%s: no fatal, but %v", what, err)
	}
	if left == nil {
		left = &image{disk: disk.Image(keptPercents[n%3], uint64(n)), acked: h.acked()}
	}
	h.audit(t, what, left.disk, open, left.acked, h.proposed())
	return true
}
