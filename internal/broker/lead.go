package broker

import (
	"coffer/internal/fault"
)

// lead finds the queues that a dead message goes to. Where the way asks for more than
// its keys, what Config.Lead makes of its content says so; that cannot be seen while
// the domain is locked, and then the burial is unread.
func (n *Namespace) lead(b *burial) {
	m := &b.message
	g := Guide{Keys: m.Copies}
	if fn := n.core.cfg.Lead; fn != nil {
		l := &leader{namespace: n, burial: b}
		g.Match = func(x Binding) bool {
			return x.Kind != Matched || l.open() && l.guide.Match != nil && l.guide.Match(x)
		}
		g.Hash = func(a Address) ([]byte, bool) {
			if len(a.Arguments) == 0 || !l.open() || l.guide.Hash == nil {
				return nil, false
			}
			return l.guide.Hash(a)
		}
	}
	b.targets, _ = n.Topology().RouteBy(nil, m.Address, m.Key, &g)
	if b.unread {
		b.targets = nil
	}
}

// leader opens a dead message when it must, once.
type leader struct {
	namespace *Namespace
	burial    *burial
	tried     bool
	guide     Guide
}

// open reports whether the guide is known. A message that is damaged has none, and
// neither has one of which a lock hides the content.
func (l *leader) open() bool {
	if l.tried {
		return !l.burial.unread
	}
	l.tried = true
	// Of a large message this is the beginning, which has the header.
	plain, err := l.namespace.domain.Open(nil, l.burial.message.Record)
	switch fault.KindOf(err) {
	case fault.KeyUnavailable, fault.Unavailable:
		l.burial.unread = true
		return false
	}
	if err != nil {
		return true
	}
	if c, err := parseContent(plain); err == nil {
		l.guide = l.namespace.core.cfg.Lead(c, &l.burial.history)
	}
	return true
}
