package bench

import "testing"

// TestStamp: what is written is read.
func TestStamp(t *testing.T) {
	t.Parallel()
	b := make([]byte, MinSize)
	s := stamp{run: 1 << 31, lane: 70_000, seq: 1 << 40, due: -3}
	s.put(b)
	if got := stampOf(b); got != s {
		t.Errorf("got %+v, want %+v", got, s)
	}
}

// TestPlan: each lane has one publisher, each queue knows its lanes by different
// numbers, and tags count them in turn.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, p := range []plan{
		{1, 1, false}, {4, 4, false}, {4, 1, false}, {1, 4, false}, {7, 3, false}, {3, 7, false},
		{3, 7, true}, {7, 3, true},
	} {
		lanes := 0
		for i := range p.publishers {
			lanes += p.ofPublisher(i)
			seen := map[int]uint64{}
			for tag := uint64(1); tag <= 50; tag++ {
				lane, seq := p.tagged(i, tag)
				if lane%p.publishers != i || seq != seen[lane] {
					t.Errorf("%+v: publish %d of %d is %d of lane %d", p, tag, i, seq, lane)
				}
				seen[lane]++
			}
			if len(seen) != p.ofPublisher(i) {
				t.Errorf("%+v: publisher %d uses %d lanes", p, i, len(seen))
			}
		}
		if lanes != p.lanes() {
			t.Errorf("%+v: %d lanes have a publisher", p, lanes)
		}
		for q := range p.queues {
			slots := map[int]bool{}
			for lane := range p.lanes() {
				if slot, ok := p.slot(q, lane); ok {
					slots[slot] = true
				}
			}
			if n := p.slots(q); len(slots) != n || !slots[0] || !slots[n-1] {
				t.Errorf("%+v: queue %d has slots %v, want %d", p, q, slots, n)
			}
		}
		if _, ok := p.slot(0, p.lanes()); ok {
			t.Errorf("%+v: a lane that there is not leads somewhere", p)
		}
	}
}

// TestPace: messages are due one interval after another, dealt out to publishers.
func TestPace(t *testing.T) {
	t.Parallel()
	const publishers, rate = 3, 7000
	begin := int64(1_000_000)
	var last int64
	for n := range int64(10_000) {
		at := newPace(begin, rate, int(n%publishers), publishers).time(n / publishers)
		if want := begin + n*1e9/rate; at < want-2 || at > want+2 || at < last {
			t.Fatalf("message %d is due at %d, want %d", n, at, want)
		}
		last = at
	}
	p := newPace(begin, rate, 1, publishers)
	for n := range int64(10_000) {
		if at := p.time(n); p.due(at) != n+1 || p.due(at-1) != n {
			t.Fatalf("at %d and before %d and %d are due, want %d and %d", at, p.due(at),
				p.due(at-1), n+1, n)
		}
	}
}
