package scale

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// drained is how many messages are consumed after the stop, at most.
const drained = 100_000

// lengthFigures is what TestLength measures of one length.
type lengthFigures struct {
	stopped, killed time.Duration // from the start to the first delivery
	serving         time.Duration // of the first of these
	first, drain    memory
}

// TestLength fills a queue, restarts after a stop and after kill -9, and measures
// the time until the first message comes, and the memory.
func TestLength(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	table(t, "messages", "fill /s", "stop → first", "of it to serving", "kill -9 → first",
		"RSS at first, MiB", fmt.Sprintf("RSS while %d go, MiB", drained), "peak, MiB",
		"live heap, MiB")
	var all []lengthFigures
	filled, gone := 0, 0
	for _, n := range amounts.lengths {
		s := run(t, data)
		begin := time.Now()
		check(t, fill(t.Context(), s.to, "long", filled, gone+n))
		rate := float64(gone+n-filled) / time.Since(begin).Seconds()
		filled = gone + n
		check(t, s.Stop())
		looks := make([]lengthFigures, amounts.restarts)
		for i := range looks {
			looks[i] = length(t, data, gone, min(drained, n/2)/len(looks))
			gone += min(drained, n/2) / len(looks)
		}
		f := middleLength(looks)
		all = append(all, f)
		row(t, fmt.Sprint(n), fmt.Sprintf("%.0f", rate), milli(f.stopped), milli(f.serving),
			milli(f.killed), mib(f.first.resident), mib(f.drain.resident), mib(f.drain.peak),
			mib(f.drain.heap))
	}
	if amounts.measured {
		judgeLengths(t, all)
	}
}

// middleLength gives the median of each figure. One start finds the memory of the
// password's hash still there or given back, and a heap just before its collection or
// after it: what it shows is up to a third more or less than the next.
func middleLength(looks []lengthFigures) lengthFigures {
	return lengthFigures{
		stopped: median(looks, func(f lengthFigures) time.Duration { return f.stopped }),
		killed:  median(looks, func(f lengthFigures) time.Duration { return f.killed }),
		serving: median(looks, func(f lengthFigures) time.Duration { return f.serving }),
		first:   middleMemory(looks, func(f lengthFigures) memory { return f.first }),
		drain:   middleMemory(looks, func(f lengthFigures) memory { return f.drain }),
	}
}

func middleMemory(looks []lengthFigures, of func(lengthFigures) memory) memory {
	return memory{
		resident: median(looks, func(f lengthFigures) int64 { return of(f).resident }),
		peak:     median(looks, func(f lengthFigures) int64 { return of(f).peak }),
		heap:     median(looks, func(f lengthFigures) int64 { return of(f).heap }),
	}
}

func median[T cmp.Ordered](looks []lengthFigures, of func(lengthFigures) T) T {
	var list []T
	for _, f := range looks {
		list = append(list, of(f))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// judgeLengths compares each length with the bounds and with the length before.
func judgeLengths(t *testing.T, all []lengthFigures) {
	t.Helper()
	for i, f := range all {
		n := amounts.lengths[i]
		if f.stopped > maxFirst || f.killed > maxFirst {
			t.Errorf("%d messages: the first came after %v and %v, want at most %v",
				n, f.stopped, f.killed, maxFirst)
		}
		if i == 0 || amounts.lengths[i-1] < 1_000_000 {
			continue // so few that caches are not full
		}
		b, of := all[i-1], amounts.lengths[i-1]
		judgeGrowth(t, fmt.Sprintf("%d messages at the first delivery", n), f.first, b.first, of)
		judgeGrowth(t, fmt.Sprintf("%d messages that are consumed", n), f.drain, b.drain, of)
	}
}

// judgeGrowth fails when more memory is resident than a tenth above what it was
// with so many messages.
func judgeGrowth(t *testing.T, what string, now, then memory, of int) {
	t.Helper()
	if more := float64(now.resident) / float64(then.resident); more > maxGrowth {
		t.Errorf("%s take %.2f times the memory of %d", what, more, of)
	}
}

// length measures a directory that was stopped; the queue begins with message
// first. It ends with the process killed and n messages gone.
func length(t *testing.T, data string, first, n int) (f lengthFigures) {
	s := run(t, data)
	f.serving = s.Started()
	c, err := consume(t.Context(), s.to, "long", first)
	check(t, err)
	check(t, c.take(1))
	f.stopped = time.Since(s.begun) - s.asked
	f.first = s.memory()
	f.drain = drain(t, s, c, n-1)
	check(t, c.end())
	check(t, s.Kill())

	s = run(t, data)
	c, err = consume(t.Context(), s.to, "long", first+n)
	check(t, err)
	check(t, c.take(1))
	f.killed = time.Since(s.begun) - s.asked
	c.Close() // unsettled: it comes back
	check(t, s.Stop())
	return f
}

// drain takes n messages and gives the memory at the middle of what was resident
// meanwhile: one look finds garbage of one moment or none.
func drain(t *testing.T, s *server, c *consumer, n int) memory {
	const looks = 20
	seen := make([]memory, looks)
	for i := range seen {
		check(t, c.take(n*(i+1)/looks-n*i/looks))
		seen[i] = s.memory()
	}
	slices.SortFunc(seen, func(a, b memory) int { return cmp.Compare(a.resident, b.resident) })
	middle := seen[looks/2]
	middle.peak = s.memory().peak
	return middle
}

func milli(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
