package broker

import (
	"bytes"
	"container/heap"
	"math/rand/v2"
	"testing"
)

func FuzzLeaseRow(f *testing.F) {
	r := leaseRow{
		lease: lease{receipt: 9, count: 2, deadline: 1800}, size: 300,
		facts: facts{body: 5, received: 1700, enqueued: 1600, expires: 1900},
	}
	f.Add(r.append(nil))
	r.extra = &extra{group: "g"}
	f.Add(r.append(nil))
	f.Add(r.append(nil)[:30])
	r.attempt = &attempt{id: AttemptID{1}, at: 1700, size: 3}
	f.Add(r.append(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parseLeaseRow(p)
		if err == nil && !bytes.Equal(r.append(nil), p) {
			t.Fatalf("%x came back as %x", p, r.append(nil))
		}
	})
}

func FuzzTally(f *testing.F) {
	f.Add(tally{3, 1700}.append(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := parseTally(p)
		if err == nil && !bytes.Equal(c.append(nil), p) {
			t.Fatalf("%x came back as %x", p, c.append(nil))
		}
	})
}

func FuzzLeaseRef(f *testing.F) {
	f.Add(LeaseRef{priority: 1, seq: 2, receipt: 3}.Append(nil))
	f.Add(make([]byte, LeaseRefSize))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := ParseLeaseRef(p)
		if err == nil && !bytes.Equal(r.Append(nil), p) {
			t.Fatalf("%x came back as %x", p, r.Append(nil))
		}
	})
}

// TestLeaseHeap holds the order of deadlines while leases come, change and go.
func TestLeaseHeap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var all leases
	l := &lane{}
	for i := range 500 {
		x := &lease{entry: &entry{lane: l, seq: uint64(i)}, deadline: random.Int64N(100)}
		all.add(x)
		if i%3 == 0 {
			y := all.heap[random.IntN(len(all.heap))]
			y.deadline = random.Int64N(100)
			heap.Fix(&all.heap, y.at)
		}
		if i%5 == 0 {
			all.remove(all.heap[random.IntN(len(all.heap))])
		}
	}
	if len(all.heap) != 400 || len(all.of) != 400 {
		t.Fatalf("%d and %d leases are left of 400", len(all.heap), len(all.of))
	}
	for last := int64(-1); len(all.heap) > 0; {
		x := all.heap[0]
		if x.deadline < last || all.of[x.spot()] != x {
			t.Fatalf("deadline %d comes after %d", x.deadline, last)
		}
		last = x.deadline
		all.remove(x)
	}
}

func TestRingRemove(t *testing.T) {
	t.Parallel()
	for n := 1; n < 12; n++ {
		for gone := range n {
			var r ring[int]
			r.pushBack(-1)
			r.popFront() // so that it wraps
			for i := range n {
				r.pushBack(i)
			}
			r.remove(gone)
			for i := range n - 1 {
				want := i
				if i >= gone {
					want++
				}
				if got := *r.at(i); got != want || r.len() != n-1 {
					t.Fatalf("%d of %d without %d is %d", i, n, gone, got)
				}
			}
		}
	}
}
