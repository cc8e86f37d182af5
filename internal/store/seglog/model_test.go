package seglog_test

import (
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/store/seglog"
	"coffer/internal/store/storetest"
)

// TestModel does anything in any order: appends, waits, rolls, releases, reads, stops
// and loses power. The tape is the model.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		disk := newDisk(t)
		l, p := open(t, config(disk), newTape().marks())
		defer func() { closed(t, l) }()
		must := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		start := func(on *storetest.Disk) {
			var err error
			var next *seglog.Log
			disk = on
			next, p, err = reopen(config(disk), p.marks())
			must(err)
			l = next
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(rt, "records") {
					_, err := p.append(l)
					must(err)
				}
			},
			"wait":    func(*rapid.T) { must(p.wait(l)) },
			"read":    func(*rapid.T) { must(p.read(l)) },
			"roll":    func(*rapid.T) { l.Roll() },
			"release": func(*rapid.T) { must(p.release(l)) },
			"restart": func(*rapid.T) {
				must(l.Close())
				start(disk)
			},
			"crash": func(rt *rapid.T) {
				keep := rapid.SampledFrom([]int{0, 50, 90, 100}).Draw(rt, "kept")
				p.mu.Lock() // what was acknowledged until here is on the image
				image := disk.Image(keep, rapid.Uint64().Draw(rt, "seed"))
				p.mu.Unlock()
				must(l.Close())
				start(image)
			},
		})
	})
}
