package sqs

import (
	"cmp"
	"slices"
)

// order checks that what is received of a group comes in the order of the sends: nothing
// does while an earlier message is certainly there, but for what the same answer has
// before it. Of a queue with dead letters an earlier message may be one.
func (h *history) order(group []*message) {
	if group[0].queue.most > 0 {
		return
	}
	for i, m := range group {
		for _, t := range m.takes {
			for _, earlier := range group[:i] {
				if earlier.there(t) {
					h.found("%s: %s came before %s", t.queue.name, m.key, earlier.key)
					return
				}
			}
		}
	}
}

// there reports whether the message certainly was in its queue, and not before another
// one in the same answer, when that was received.
func (m *message) there(t *take) bool {
	if sent, ok := m.sent(); !ok || !sent.before(t.span) {
		return false
	}
	for _, own := range m.takes {
		if own.call == t.call && own.place < t.place {
			return false
		}
		for _, d := range own.deletes {
			if d.begin.Before(t.end) {
				return false
			}
		}
	}
	return true
}

// alone checks that a group is with one receiver at a time: while one certainly holds a
// message of it, nobody else gets one.
func (h *history) alone(group []*message) {
	byQueue := map[*queue][]*take{}
	for _, m := range group {
		for _, t := range m.takes {
			byQueue[t.queue] = append(byQueue[t.queue], t)
		}
	}
	for q, takes := range byQueue {
		slices.SortFunc(takes, func(a, b *take) int {
			return cmp.Or(a.begin.Compare(b.begin), cmp.Compare(a.call, b.call))
		})
		for i, t := range takes {
			for _, next := range takes[i+1:] {
				if next.call != t.call && t.before(next.span) &&
					next.end.Add(slack).Before(t.free()) {
					h.found("%s: %s came while another receiver had %s of its group", q.name,
						next.message.key, t.message.key)
					return
				}
			}
		}
	}
}
