package accesslog

import (
	"iter"
	"time"

	"coffer/internal/audit"
)

// merge brings the events of several scopes into the order of time.
type merge struct{ list []*head }

// head is the next event of a scope.
type head struct {
	entry
	pull func() (entry, error, bool)
	stop func()
}

// add takes a scope in, if it has events.
func (m *merge) add(events iter.Seq2[entry, error]) error {
	pull, stop := iter.Pull2(events)
	h := &head{pull: pull, stop: stop}
	m.list = append(m.list, h)
	return m.advance(h)
}

// advance goes to the next event of a scope, or leaves one that has no more.
func (m *merge) advance(h *head) error {
	e, err, more := h.pull()
	if more && err == nil {
		h.entry = e
		return nil
	}
	h.stop()
	for i, o := range m.list {
		if o == h {
			m.list = append(m.list[:i], m.list[i+1:]...)
			break
		}
	}
	return err
}

// next gives the oldest events: one, or all of the same moment.
func (m *merge) next() (same []*audit.Event, err error) {
	var at time.Time
	for i, h := range m.list {
		if i == 0 || h.at.Before(at) {
			at = h.at
		}
	}
	for i := 0; i < len(m.list); {
		h, before := m.list[i], len(m.list)
		if !h.at.Equal(at) {
			i++
			continue
		}
		same = append(same, h.event)
		if err := m.advance(h); err != nil {
			return nil, err
		}
		if len(m.list) == before && !h.at.Equal(at) {
			i++
		}
	}
	return same, nil
}

// stop ends what is still being read.
func (m *merge) stop() {
	for _, h := range m.list {
		h.stop()
	}
}
