package sqs

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// check applies the rules to a round that was drained, and gives all findings.
func (h *history) check() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	purged := map[*span]*cut{}
	for _, key := range slices.Sorted(maps.Keys(h.messages)) {
		m := h.messages[key]
		if m.lost() {
			h.found("%s was sent and is lost", m.key)
		}
		h.delayed(m)
		h.erased(m, purged)
		h.ended(m)
		for _, takes := range m.byQueue() {
			h.counts(takes)
			h.leases(takes)
		}
	}
	for s, c := range purged {
		if !s.answered() && c.there != "" && c.gone != "" {
			h.found("a purge without an answer took %s and not %s", c.gone, c.there)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.groups)) {
		h.order(h.groups[name])
		h.alone(h.groups[name])
	}
	return h.findings
}

// lost reports whether a message whose send was answered was never seen to its end, and
// nothing explains that.
func (m *message) lost() bool {
	sent, ok := m.sent()
	if !ok {
		return false
	}
	for _, t := range m.takes {
		if len(t.deletes) > 0 {
			return false
		}
	}
	if m.queue.deletion != nil {
		return false
	}
	return !slices.ContainsFunc(m.queue.purge, func(p *span) bool { return !p.before(sent) })
}

// delayed checks that nobody had the message before its delay was over.
func (h *history) delayed(m *message) {
	for _, t := range m.takes {
		if !t.end.Add(slack).After(m.sends[0].begin.Add(m.delay)) {
			h.found("%s came %v before its delay was over", m.key,
				m.sends[0].begin.Add(m.delay).Sub(t.end))
		}
	}
}

// cut is what a purge left, and what it took, of what was there for certain.
type cut struct{ there, gone string }

// erased checks that purges and the deletion of a queue hold.
func (h *history) erased(m *message, purged map[*span]*cut) {
	sent, ok := m.sent()
	ok = ok && len(m.sends) == 1
	for _, p := range m.queue.purge {
		if !ok || !sent.before(*p) {
			continue
		}
		if purged[p] == nil {
			purged[p] = &cut{}
		}
		if len(m.takes) == 0 {
			purged[p].gone = m.key
		} else {
			purged[p].there = m.key
		}
		for _, t := range m.takes {
			if p.before(t.span) {
				h.found("%s came after a purge", m.key)
			}
		}
	}
	for _, t := range m.takes {
		if d := m.queue.deletion; d != nil && d.before(t.span) {
			h.found("%s came after its queue was deleted", m.key)
		}
	}
}

// ended checks that nothing comes after its deletion was certain, nor from its queue after
// it was received as a dead letter.
func (h *history) ended(m *message) {
	for _, x := range m.takes {
		for _, y := range m.takes {
			if !x.sure.IsZero() && x.sure.Before(y.begin) {
				h.found("%s came back after its deletion was answered", m.key)
			}
			if m.queue.dead != nil && x.queue == m.queue.dead && y.queue == m.queue &&
				x.before(y.span) {
				h.found("%s came back from the dead", m.key)
			}
		}
	}
}

// byQueue gives the takes of the message in each queue, by their count.
func (m *message) byQueue() map[*queue][]*take {
	all := map[*queue][]*take{}
	for _, t := range m.takes {
		all[t.queue] = append(all[t.queue], t)
	}
	for _, list := range all {
		slices.SortStableFunc(list, func(a, b *take) int {
			return cmp.Or(cmp.Compare(a.count, b.count), a.begin.Compare(b.begin))
		})
	}
	return all
}

// counts checks that each receive counts, that no count is told twice or goes back, and
// that only receives whose answer was lost are not seen.
func (h *history) counts(takes []*take) {
	unseen, before := 0, 0
	for i, t := range takes {
		q, m := t.queue, t.message
		unseen += max(t.count-before-1, 0)
		switch {
		case t.count == before:
			h.found("%s: %s was received twice with count %d", q.name, m.key, t.count)
		case i > 0 && t.before(takes[i-1].span):
			h.found("%s: the count of %s went back to %d", q.name, m.key, takes[i-1].count)
		case q.most > 0 && t.count > q.most:
			h.found("%s: %s was received %d times, which may be %d", q.name, m.key, t.count, q.most)
		}
		before = t.count
	}
	if t := takes[0]; unseen > t.queue.lost {
		h.found("%s: %d receives of %s were not seen, and %d have lost their answer",
			t.queue.name, unseen, t.message.key, t.queue.lost)
	}
}

// leases checks that the message was with one receiver at a time.
func (h *history) leases(takes []*take) {
	for i, t := range takes[1:] {
		if held := takes[i]; t.end.Add(slack).Before(held.until) {
			h.found("%s: %s came %v before the visibility timeout was over", t.queue.name,
				t.message.key, held.until.Sub(t.end))
		}
	}
}

// free is a moment before which the message was certainly kept from others by a take.
func (t *take) free() time.Time {
	free := t.until
	for _, d := range t.deletes {
		if d.begin.Before(free) {
			free = d.begin
		}
	}
	return free
}
