package sqs

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// scene is a history that is written by hand, at seconds of its own.
type scene struct {
	*history
	queue *queue
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// during is an answered call, and from one without an answer.
func during(begin, end float64) span { return span{at(begin), at(end)} }
func from(begin float64) span        { return span{begin: at(begin)} }

// sent sends a message to the group "g" of a FIFO queue.
func (s *scene) sent(id string, calls ...span) *message {
	group := ""
	if s.queue.fifo {
		group = "g"
	}
	m := s.sending(s.queue, group, 0)
	for _, c := range calls {
		s.sentAs(m, c, id, id)
	}
	return m
}

// takes receives messages for ten seconds.
func (s *scene) takes(q *queue, c span, count int, list ...*message) []*take {
	var all []received
	for _, m := range list {
		all = append(all, received{
			key: m.key, id: m.id, number: m.number, group: m.group, count: count,
		})
	}
	return s.took(q, c, 10*time.Second, all)
}

// drop deletes what was taken.
func (s *scene) drop(begin, end float64, list ...*take) {
	for _, t := range list {
		s.deleted(t, s.deleting(t, at(begin)), at(end))
	}
}

// TestFindings: each rule finds what breaks it, and what keeps it is not found. These are
// the rules of what was sent.
func TestFindings(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		want string // part of the finding; empty: there is none
		play func(s *scene)
	}{
		"well": {"", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.drop(3, 4, s.takes(s.queue, during(1, 2), 1, m)...)
			s.sent("", from(5))
		}},
		"lost": {"is lost", func(s *scene) { s.sent("a", during(0, 1)) }},
		"received only": {"is lost", func(s *scene) {
			s.takes(s.queue, during(2, 3), 1, s.sent("a", during(0, 1)))
		}},
		"nobody's": {"nobody sent", func(s *scene) {
			s.takes(s.queue, during(2, 3), 1, &message{key: "x"})
		}},
		"elsewhere": {"was not sent here", func(s *scene) {
			s.takes(&queue{}, during(2, 3), 1, s.sent("a", from(0)))
		}},
		"stored twice": {"was stored as", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.drop(3, 4, s.took(s.queue, during(1, 2), time.Minute,
				[]received{{key: m.key, id: "b", number: "a", count: 1}})...)
		}},
		"sent twice": {"was sent again as", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.sentAs(m, during(1, 2), "b", "b")
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, m)...)
		}},
	} {
		t.Run(name, func(t *testing.T) { run(t, &queue{name: "q"}, x.want, x.play) })
	}
}

// TestFindingsOfLeases are the rules of visibility and of receive counts.
func TestFindingsOfLeases(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		want string
		play func(s *scene)
	}{
		"after its deletion": {"after its deletion", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.drop(3, 4, s.takes(s.queue, during(1, 2), 1, m)...)
			s.takes(s.queue, during(20, 21), 2, m)
		}},
		"after a late deletion": {"", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.drop(3, 12, s.takes(s.queue, during(1, 2), 1, m)...)
			s.takes(s.queue, during(20, 21), 2, m)
		}},
		"too early": {"before the visibility timeout", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.takes(s.queue, during(1, 2), 1, m)
			s.drop(3, 12, s.takes(s.queue, during(5, 6), 2, m)...)
		}},
		"after a change": {"", func(s *scene) {
			m := s.sent("a", during(0, 1))
			x := s.takes(s.queue, during(1, 2), 1, m)[0]
			s.changing(x, at(3), 0)
			s.drop(8, 9, s.takes(s.queue, during(5, 6), 2, m)...)
		}},
		"after a longer change": {"before the visibility timeout", func(s *scene) {
			m := s.sent("a", during(0, 1))
			x := s.takes(s.queue, during(1, 2), 1, m)[0]
			s.changed(x, at(3), 20*time.Second)
			s.drop(13, 14, s.takes(s.queue, during(12, 13), 2, m)...)
		}},
		"counted once": {"twice with count 1", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.takes(s.queue, during(1, 2), 1, m)
			s.drop(22, 23, s.takes(s.queue, during(20, 21), 1, m)...)
		}},
		"counted back": {"went back", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.missed(s.queue)
			s.takes(s.queue, during(1, 2), 3, m)
			s.drop(22, 23, s.takes(s.queue, during(20, 21), 2, m)...)
		}},
		"counted too far": {"were not seen", func(s *scene) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 2, s.sent("a", during(0, 1)))...)
		}},
		"counted unseen": {"", func(s *scene) {
			s.missed(s.queue)
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 2, s.sent("a", during(0, 1)))...)
		}},
		"delayed": {"before its delay", func(s *scene) {
			m := s.sent("a", during(0, 1))
			m.delay = 5 * time.Second
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, m)...)
		}},
	} {
		t.Run(name, func(t *testing.T) { run(t, &queue{name: "q"}, x.want, x.play) })
	}
}

// run plays a scene and looks for what is found.
func run(t *testing.T, q *queue, want string, play func(*scene)) {
	t.Helper()
	s := &scene{newHistory(), q}
	play(s)
	list := s.check()
	if want == "" && len(list) > 0 || want != "" &&
		!slices.ContainsFunc(list, func(f string) bool { return strings.Contains(f, want) }) {
		t.Errorf("found %q, want %q", list, want)
	}
}

// TestFindingsOfErasure are the rules of purges and of queues that are deleted.
func TestFindingsOfErasure(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		want string
		play func(s *scene)
	}{
		"purged": {"", func(s *scene) {
			s.sent("a", during(0, 1))
			*s.purging(s.queue, at(2)) = during(2, 3)
		}},
		"sent after a purge": {"is lost", func(s *scene) {
			*s.purging(s.queue, at(2)) = during(2, 3)
			s.sent("a", during(4, 5))
		}},
		"there after a purge": {"came after a purge", func(s *scene) {
			m := s.sent("a", during(0, 1))
			*s.purging(s.queue, at(2)) = during(2, 3)
			s.drop(6, 7, s.takes(s.queue, during(4, 5), 1, m)...)
		}},
		"half a purge": {"took q/1 and not q/0", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.sent("b", during(0, 1))
			s.purging(s.queue, at(2))
			s.drop(6, 7, s.takes(s.queue, during(4, 5), 1, m)...)
		}},
		"a whole purge": {"", func(s *scene) {
			m, n := s.sent("a", during(0, 1)), s.sent("b", during(0, 1))
			s.purging(s.queue, at(2))
			s.drop(6, 7, s.takes(s.queue, during(4, 5), 1, m, n)...)
		}},
		"deleted": {"", func(s *scene) {
			s.sent("a", during(0, 1))
			s.removing(s.queue, at(2))
		}},
		"there after the deletion": {"after its queue was deleted", func(s *scene) {
			m := s.sent("a", during(0, 1))
			*s.removing(s.queue, at(2)) = during(2, 3)
			s.takes(s.queue, during(4, 5), 1, m)
		}},
		"dead": {"", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.takes(s.queue, during(1, 2), 1, m)
			s.drop(16, 17, s.takes(s.queue.dead, during(14, 15), 1, m)...)
		}},
		"too often": {"which may be 1", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.takes(s.queue, during(1, 2), 1, m)
			s.drop(16, 17, s.takes(s.queue, during(14, 15), 2, m)...)
		}},
		"undead": {"from the dead", func(s *scene) {
			m := s.sent("a", during(0, 1))
			s.takes(s.queue.dead, during(1, 2), 1, m)
			s.drop(16, 17, s.takes(s.queue, during(14, 15), 1, m)...)
		}},
	} {
		q := &queue{name: "q", most: 1, dead: &queue{name: "d"}}
		t.Run(name, func(t *testing.T) { run(t, q, x.want, x.play) })
	}
}

// TestFindingsOfGroups are the rules of FIFO queues.
func TestFindingsOfGroups(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		want string
		play func(s *scene, m, n *message)
	}{
		"in order": {"", func(s *scene, m, n *message) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, m)...)
			s.drop(5, 6, s.takes(s.queue, during(4, 5), 1, n)...)
		}},
		"together": {"", func(s *scene, m, n *message) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, m, n)...)
		}},
		"out of order": {"q/1 came before q/0", func(s *scene, m, n *message) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, n)...)
			s.drop(5, 6, s.takes(s.queue, during(4, 5), 1, m)...)
		}},
		"together out of order": {"q/1 came before q/0", func(s *scene, m, n *message) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, n, m)...)
		}},
		"with two": {"while another receiver had q/0", func(s *scene, m, n *message) {
			x := s.takes(s.queue, during(2, 3), 1, m)
			s.drop(6, 7, s.takes(s.queue, during(4, 5), 1, n)...)
			s.drop(8, 9, x...)
		}},
		"of another group": {"is of group", func(s *scene, m, n *message) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, m)...)
			r := received{key: n.key, id: n.id, number: n.number, group: "h", count: 1}
			s.drop(6, 7, s.took(s.queue, during(4, 5), time.Minute, []received{r})...)
		}},
		"of another number": {"has number c", func(s *scene, m, n *message) {
			s.drop(3, 4, s.takes(s.queue, during(2, 3), 1, m)...)
			r := received{key: n.key, id: n.id, number: "c", group: "g", count: 1}
			s.drop(6, 7, s.took(s.queue, during(4, 5), time.Minute, []received{r})...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, &queue{name: "q", fifo: true}, x.want, func(s *scene) {
				x.play(s, s.sent("a", during(0, 1)), s.sent("b", during(1, 2)))
			})
		})
	}
}
