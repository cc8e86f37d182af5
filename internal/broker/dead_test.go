package broker

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzMark(f *testing.F) {
	m := mark{why: TooMany, size: 300, body: 12}
	f.Add(m.append(nil))
	f.Add(m.append(nil)[:7])
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := parseMark(p)
		if err == nil && !bytes.Equal(m.append(nil), p) {
			t.Fatalf("%x came back as %x", p, m.append(nil))
		}
	})
}

// TestHistoryBounds holds how long a history may become, in deaths and in bytes,
// and that it says when it forgets one.
func TestHistoryBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, whole int }{{1, maxDeaths}, {MaxName, 2}} {
		var h History
		whole := 0
		for i := range 100 {
			name := strings.Repeat("x", c.text-1) + strconv.Itoa(i)
			name = name[len(name)-c.text:]
			d := Death{Queue: name + strconv.Itoa(i), Reason: Expired, Address: name, Key: name}
			next, all := h.with(d)
			if all {
				whole++
			}
			if n := len(next.append(nil)); n > maxHistory {
				t.Fatalf("%d deaths are %d bytes", len(next.Deaths), n)
			}
			if next.Deaths[0].Queue != d.Queue || next.FirstAddress == "" {
				t.Fatalf("the last death or the first is missing: %+v", next)
			}
			h = next
		}
		if whole != c.whole || len(h.Deaths) != c.whole {
			t.Errorf("%d of %d deaths were kept, %d without loss", len(h.Deaths), 100, whole)
		}
		if again, all := h.with(h.Deaths[len(h.Deaths)-1]); !all || again.Deaths[0].Count != 2 {
			t.Errorf("a death that is known made it forget")
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limits            Limits
		enqueued, expires int64
		want              int64
	}{
		{Limits{}, 100, 0, 0},
		{Limits{}, 100, 150, 150},
		{Limits{Retention: AtMost(20)}, 100, 0, 120},
		{Limits{Retention: AtMost(20)}, 100, 110, 110},
		{Limits{Retention: AtMost(0)}, 100, 0, 100},
		{Limits{Retention: AtMost(20)}, 0, 0, 0},
		{Limits{Retention: AtMost(1<<63 - 1)}, 100, 0, maxTime},
		{Limits{Retention: AtMost(5)}, -100, 0, 1},
	} {
		if got := c.limits.deadline(c.enqueued, c.expires); got != c.want {
			t.Errorf("%+v at %d, %d: %d, want %d", c.limits, c.enqueued, c.expires, got, c.want)
		}
	}
}

// TestHoles holds that ranges that are erased leave out who is doomed.
func TestHoles(t *testing.T) {
	t.Parallel()
	q := &Queue{}
	q.state.next = 20
	l := &lane{queue: q}
	for _, seq := range []uint64{12, 3, 19, 10, 11} {
		l.doomed.pushBack(&entry{seq: seq})
	}
	got := l.holes(10)
	want := [][2]uint64{{13, 19}}
	if len(got) != 1 || got[0] != want[0] {
		t.Errorf("holes from 10: %v, want %v", got, want)
	}
	if got := l.holes(5); len(got) != 2 || got[0] != [2]uint64{5, 10} || got[1] != want[0] {
		t.Errorf("holes from 5: %v", got)
	}
}

// TestMarks refuses marks that cannot be, and finds circles.
func TestMarks(t *testing.T) {
	t.Parallel()
	for _, p := range [][]byte{
		{}, {1}, {2, 1, 0, 0, 0, 0, 0, 0, 0, 0}, {1, 9, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		if m, err := parseMark(p); err == nil {
			t.Errorf("%x was taken for %+v", p, m)
		}
	}
	h := testHistory()
	next := h.With(Death{Queue: "s", Reason: Expired, Time: time.Unix(1, 0)})
	if h.Cycles("q") || !next.Cycles("s") {
		t.Error("a circle with a rejection was found, or one without was not")
	}
}
