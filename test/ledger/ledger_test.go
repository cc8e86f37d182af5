package ledger

import (
	"slices"
	"strings"
	"testing"
)

// The queues of a story, and where its messages go.
const (
	cold, twin, shared, auto = "cold", "twin", "shared", "auto"
)

// story is a ledger with one publisher.
type story struct {
	*Ledger
	me uint32
}

func newStory() *story {
	s := &story{Ledger: New()}
	s.Queue(cold, Cold, true, "x")
	s.Queue(twin, Cold, true, "x")
	s.Queue(shared, Shared, true, "")
	s.Queue(auto, Auto, true, "")
	s.me = s.Publisher()
	return s
}

// send publishes to queues; confirm says what the broker said.
func (s *story) send(persistent, confirm bool, queues ...string) ID {
	id := s.Sending(s.me, persistent, queues)
	if confirm {
		s.Told(s.me, id.Seq, false, true)
	}
	return id
}

// drain reads messages in order after a restart.
func (s *story) drain(queue string, redelivered bool, ids ...ID) {
	r := &Reader{Queue: queue, Drains: true}
	for _, id := range ids {
		s.Received(r, id, redelivered)
		s.Acked(queue, id)
	}
}

// stories have one fault each, and one finding that it must give; a story
// without fault gives none.
var stories = map[string]struct {
	want string
	tell func(s *story)
}{
	"clean": {"", tellClean},
	"lost": {"confirmed {0 1} is lost", func(s *story) {
		s.send(true, true, shared)
		s.Killed()
	}},
	"lost after a requeue": {"is lost", func(s *story) {
		id := s.send(true, true, shared)
		s.Consuming(shared, 1)
		s.Received(&Reader{Queue: shared}, id, false)
		s.Released(shared, id)
		s.Killed()
	}},
	"settled comes back": {"settlement was certain", func(s *story) {
		id := s.send(true, true, shared)
		s.Consuming(shared, 1)
		s.Received(&Reader{Queue: shared}, id, false)
		s.Acked(shared, id)
		s.Settled(shared, id)
		s.Killed()
		s.drain(shared, true, id)
	}},
	"twice": {"twice in one life", func(s *story) {
		id := s.send(true, true, cold, twin)
		s.Killed()
		s.drain(twin, false, id)
		s.drain(cold, false, id)
		s.drain(cold, true, id)
	}},
	"mark missing": {"not marked", func(s *story) {
		id := s.send(true, true, shared)
		s.Consuming(shared, 1)
		s.Received(&Reader{Queue: shared}, id, false)
		s.Killed()
		s.drain(shared, false, id)
	}},
	"mark without cause": {"nobody could", func(s *story) {
		id := s.send(true, true, shared)
		s.Killed()
		s.drain(shared, true, id)
	}},
	"too many marks": {"more than the 1 deliveries", func(s *story) {
		a, b := s.send(true, true, shared), s.send(true, true, shared)
		s.Consuming(shared, 1)
		s.Killed()
		s.drain(shared, true, a, b)
	}},
	"order": {"came after", func(s *story) {
		a, b := s.send(true, true, shared), s.send(true, true, shared)
		s.Killed()
		s.drain(shared, false, b, a)
	}},
	"transient": {"outlived", func(s *story) {
		id := s.send(false, true, shared)
		s.Killed()
		s.drain(shared, false, id)
	}},
	"refused": {"refused to its publisher", func(s *story) {
		id := s.send(true, false, shared)
		s.Told(s.me, id.Seq, false, false)
		s.Killed()
		s.drain(shared, false, id)
	}},
	"wrong queue": {"not routed", func(s *story) {
		id := s.send(true, true, shared)
		s.Killed()
		s.drain(shared, false, id)
		s.drain(auto, false, id)
	}},
	"invented": {"nobody sent", func(s *story) {
		s.Received(&Reader{Queue: shared}, ID{0, 7}, false)
	}},
	"hole": {"is there, but not 1", func(s *story) {
		s.send(true, false, cold)
		b := s.send(true, false, cold)
		s.Killed()
		s.drain(cold, false, b)
		s.drain(twin, false, b)
	}},
	"half a fan-out": {"but not in twin", func(s *story) {
		id := s.send(true, false, cold, twin)
		s.Killed()
		s.drain(cold, false, id)
	}},
	"hole without settlements": {"is lost", func(s *story) {
		a := s.send(true, true, auto)
		s.send(true, true, auto)
		s.Killed()
		s.drain(auto, false, a)
	}},
	"confirm of nothing": {"not sent", func(s *story) { s.Told(s.me, 1, false, true) }},
	"confirmed twice": {"told of twice", func(s *story) {
		id := s.send(true, true, shared)
		s.Told(s.me, id.Seq, false, true)
		s.Killed()
		s.drain(shared, false, id)
	}},
	"mark missing while it stops": {"not marked", func(s *story) {
		id := s.send(true, true, shared)
		s.Consuming(shared, 1)
		s.Received(&Reader{Queue: shared}, id, false)
		s.Stopping()
		s.Received(&Reader{Queue: shared}, id, false)
	}},
	"read late while stopping": {"", func(s *story) {
		id := s.send(true, true, shared)
		s.Consuming(shared, 2)
		s.Stopping()
		s.Received(&Reader{Queue: shared}, id, true)
		s.Acked(shared, id)
		s.Received(&Reader{Queue: shared}, id, false)
		s.Released(shared, id)
		s.Killed()
	}},
	"without the mark after that": {"is not marked redelivered", func(s *story) {
		id := s.send(true, true, shared)
		s.Consuming(shared, 2)
		s.Received(&Reader{Queue: shared}, id, false)
		s.Stopping()
		s.Received(&Reader{Queue: shared}, id, true)
		s.Received(&Reader{Queue: shared}, id, false)
	}},
	"twice after a stop": {"twice in one life", func(s *story) {
		id := s.send(true, true, shared)
		s.Stopping()
		s.Killed()
		s.drain(shared, false, id)
		s.drain(shared, true, id)
	}},
	"swept comes back": {"after all was over", func(s *story) {
		s.through(shared)
		s.Sweep()
		s.Received(&Reader{Queue: shared}, ID{s.me, 1}, true)
	}},
	"swept in the middle comes back": {"after all was over", func(s *story) {
		s.send(true, true, shared)
		id := s.through(shared)
		s.Sweep()
		s.Received(&Reader{Queue: shared}, id, true)
	}},
	"refused and swept": {"after all was over", func(s *story) {
		id := s.send(true, false, shared)
		s.Told(s.me, id.Seq, false, false)
		s.Sweep()
		s.Received(&Reader{Queue: shared}, id, false)
	}},
	"lost before a sweep": {"confirmed {0 2} is lost", func(s *story) {
		s.through(shared)
		s.send(true, true, shared)
		s.through(shared)
		s.Sweep()
	}},
	"order of what comes again": {"came after", func(s *story) {
		a, b := s.send(true, true, shared), s.send(true, true, shared)
		s.Consuming(shared, 2)
		s.Killed()
		r := &Reader{Queue: shared, Alone: true}
		s.Received(r, b, true)
		s.Received(r, a, true)
	}},
}

// through sends a message that is delivered, and settled for certain.
func (s *story) through(queue string) ID {
	id := s.send(true, true, queue)
	s.Received(&Reader{Queue: queue}, id, false)
	s.Acked(queue, id)
	s.Settled(queue, id)
	return id
}

// TestSweep keeps what is under way and nothing else, also of a publisher that ended
// before it was told.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := newStory()
	for range 100 {
		s.through(shared)
	}
	unsure := s.send(true, false, shared)
	s.Received(&Reader{Queue: shared}, unsure, false)
	s.Acked(shared, unsure)
	s.Settled(shared, unsure)
	s.Sweep()
	p := s.publishers[s.me]
	if len(p.sent) != 1 || len(s.queues[shared].trails) != 1 {
		t.Errorf("%d messages and %d trails are kept, want 1", len(p.sent),
			len(s.queues[shared].trails))
	}
	s.Killed()
	s.Sweep()
	if len(p.sent) != 0 || len(s.queues[shared].trails) != 0 {
		t.Errorf("%d messages and %d trails are kept, want none", len(p.sent),
			len(s.queues[shared].trails))
	}
	if next := s.send(true, true, shared); next.Seq != 102 {
		t.Errorf("the next message is %d, want 102", next.Seq)
	}
	if found := s.Findings(); len(found) != 0 {
		t.Error(found)
	}
}

// TestLateRelease: a reader that reads late that its connection ended does not take away
// what another one acked.
func TestLateRelease(t *testing.T) {
	t.Parallel()
	s := newStory()
	id := s.send(true, true, shared)
	s.Consuming(shared, 2)
	s.Received(&Reader{Queue: shared}, id, false)
	s.Stopping()
	s.Received(&Reader{Queue: shared}, id, true)
	s.Acked(shared, id)
	s.Released(shared, id)
	s.Killed()
	if found := s.Check(); len(found) > 0 {
		t.Error(found)
	}
}

// TestLedger tells every story.
func TestLedger(t *testing.T) {
	t.Parallel()
	for name, c := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory()
			c.tell(s)
			found := s.Check()
			match := func(f string) bool { return strings.Contains(f, c.want) }
			silent := c.want == "" && len(found) == 0
			if !silent && (c.want == "" || !slices.ContainsFunc(found, match)) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

// tellClean holds all that may happen.
func tellClean(s *story) {
	both := s.send(true, true, cold, twin)
	s.send(false, true, cold, twin) // transient: gone
	s.send(true, false, cold, twin) // not confirmed: gone
	s.send(true, true, auto)        // lost on its way to a client
	settledOne := s.send(true, true, shared)
	ackedOne := s.send(true, true, shared) // takes effect
	heldOne := s.send(true, true, shared)  // comes back with the mark
	s.Consuming(auto, AnyNumber)
	s.Consuming(shared, 3)
	r := &Reader{Queue: shared}
	for _, id := range []ID{settledOne, ackedOne, heldOne} {
		s.Received(r, id, false)
	}
	s.Acked(shared, settledOne)
	s.Settled(shared, settledOne)
	s.Acked(shared, ackedOne)
	last := s.send(true, true, auto)
	s.Stopping()
	s.Received(&Reader{Queue: shared}, heldOne, true)
	s.Acked(shared, heldOne) // does not take effect any more
	s.Released(shared, heldOne)
	s.Killed()
	s.drain(cold, false, both)
	s.drain(twin, false, both)
	s.drain(shared, true, heldOne)
	s.drain(auto, true, last)
}
