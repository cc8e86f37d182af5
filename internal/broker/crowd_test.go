package broker

import (
	"fmt"
	"hash/maphash"
	"maps"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTables lets names come and go in a table and a crowd and holds both, and an
// older snapshot of each, against plain maps.
func TestTables(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	queues := make([]*Queue, 200)
	for i := range queues {
		queues[i] = &Queue{spec: QueueSpec{Name: fmt.Sprint("q", i)}}
	}
	rapid.Check(t, func(t *rapid.T) {
		var all table[*Queue]
		var some crowd
		have := map[*Queue]bool{}
		equal := func(all table[*Queue], some crowd, have map[*Queue]bool) {
			t.Helper()
			seen := map[*Queue]bool{}
			all.each(func(q *Queue) bool { seen[q] = true; return true })
			listed := some.appendTo(nil)
			d := distinct{}
			some.addTo(&d)
			if !maps.Equal(seen, have) || all.n != len(have) || len(listed) != len(have) ||
				some.n != len(have) || !slices.Equal(listed, d.list) {
				t.Fatalf("%d queues, %d in the crowd, want %d", len(seen), len(listed), len(have))
			}
			for _, q := range queues {
				if got, ok := all.get(seed, q.spec.Name); ok != have[q] || ok && got != q ||
					slices.Contains(listed, q) != have[q] {
					t.Fatalf("%s is there: %v, want %v", q.spec.Name, ok, have[q])
				}
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			wasAll, wasSome, was := all, some, maps.Clone(have)
			in := rapid.Bool().Draw(t, "in")
			from := rapid.IntRange(0, len(queues)-1).Draw(t, "from")
			to := rapid.IntRange(from, len(queues)).Draw(t, "to")
			for _, q := range queues[from:to] {
				if in {
					all, some = all.with(seed, q.spec.Name, q), some.with(seed, q)
					have[q] = true
				} else {
					all, some = all.without(seed, q.spec.Name), some.without(seed, q)
					delete(have, q)
				}
			}
			equal(all, some, have)
			equal(wasAll, wasSome, was)
		}
	})
}

// TestManyAtOneAddress lets ten thousand queues go from a fan-out, a direct and a
// pattern address one by one. What that costs is judged by the bytes it
// allocates: a copy of the whole for each would be 80 KiB and more.
func TestManyAtOneAddress(t *testing.T) { // not parallel: it counts allocations
	const n = 10_000
	for kind, perQueue := range map[AddressKind]uint64{
		Fanout: 6 << 10, Direct: 24 << 10, Pattern: 24 << 10,
	} {
		topology := &Topology{seed: maphash.MakeSeed()}
		r := &route{address: Address{Name: "x", Kind: kind}}
		var bound []*binding
		for i := range n {
			name := fmt.Sprint("q", i)
			q := &Queue{spec: QueueSpec{Name: name}}
			bound = append(bound, newBinding(bindingKey{"x", name, ""}, q, false, kind))
			r = r.with(topology, bound[i], unbound)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, b := range bound {
			r = r.without(topology, b, true)
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / n; each > perQueue {
			t.Errorf("kind %d: %d bytes for each binding that goes, want at most %d",
				kind, each, perQueue)
		}
		if r.bindings != 0 || r.fanout.n != 0 || r.direct.n != 0 || r.pattern != nil {
			t.Errorf("kind %d: something is left", kind)
		}
	}
}
