package bench

import "testing"

// TestBook counts what is wrong with a sequence.
func TestBook(t *testing.T) {
	t.Parallel()
	p := plan{2, 1, false}
	b := newBook(&p, 9, 0)
	for _, m := range []struct {
		lane        uint32
		seq         uint64
		redelivered bool
	}{
		{0, 0, false}, {1, 0, false}, {0, 2, false}, {0, 1, false}, // the last too late
		{1, 0, false},                             // twice
		{1, 1, false}, {1, 1, true}, {0, 3, true}, // again, and for the first time here
		{2, 0, false}, // no such lane
	} {
		b.note(stamp{run: 9, lane: m.lane, seq: m.seq}, m.redelivered)
	}
	b.note(stamp{run: 8}, false)
	b.note(stamp{run: 9, seq: 1 << 60}, false)
	want := Account{Received: 6, Twice: 1, Redelivered: 2, Misordered: 1, Foreign: 3}
	if b.Account != want {
		t.Errorf("got %+v, want %+v", b.Account, want)
	}
	if want.Whole() || !(&Account{Sent: 2, Received: 2, Redelivered: 1}).Whole() {
		t.Error("what is whole is told wrongly")
	}
}

// TestBitmap compares with a plain set.
func TestBitmap(t *testing.T) {
	t.Parallel()
	var a, b bitmap
	for i := range uint64(200) {
		if i%3 != 0 && !a.add(i) || i%5 == 0 && !b.add(i) {
			t.Errorf("%d was there", i)
		}
	}
	if a.add(1) || !a.has(1) || a.has(3) || a.has(5000) {
		t.Error("what is there is told wrongly")
	}
	for n, want := range map[uint64]int64{0: 0, 1: 1, 64: 22, 65: 22, 200: 67, 1000: 867} {
		if got := a.missing(n); got != want {
			t.Errorf("of %d %d are missing, want %d", n, got, want)
		}
	}
	if both := a.merge(b); both != 26 || a.missing(200) != 53 {
		t.Errorf("%d are in both, %d in none", both, a.missing(200))
	}
	var c bitmap
	if c.merge(a); c.missing(200) != 53 {
		t.Errorf("%d are missing in a copy", c.missing(200))
	}
}
