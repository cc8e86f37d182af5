package broker

// buryElsewhere prepares the way of a message that dies in q to another namespace.
// In the same shard it goes there at once, unless what went before is still on its
// way because the namespace was not open.
func (q *Queue) buryElsewhere(b *burial, id NamespaceID) {
	from := q.namespace
	sh := from.shard
	b.history = b.history.across(from.id, id)
	sh.core.mu.Lock()
	to, at := sh.core.namespaces[id], sh.core.existing[id]
	sh.core.mu.Unlock()
	switch {
	case at.at == nil || to != nil && sameDomain(from, to) != nil:
		sh.counters.lost.Add(1)
	case at.at == sh && to != nil && sh.courierTo(at.slot).backlog() == 0:
		b.targets, _ = to.Topology().Route(nil, b.message.Address, b.message.Key)
	default:
		b.away, b.namespace = at.slot, id
	}
}

// sendAway sends a dead message to its namespace.
func (sh *shard) sendAway(b *burial) {
	if b.away != nil {
		p := &parcel{
			namespace: b.namespace, message: b.message, history: &b.history, rounds: b.rounds,
		}
		sh.send(b.from.namespace, b.away, p)
		b.away = nil
	}
}

// way gives the outbox in which what n sends to another namespace goes there; nil: none,
// it is in this shard and nothing is on its way to it.
func (sh *shard) way(n, to *Namespace) *shard {
	if n == to || to.shard == sh && (to.slot == sh || sh.courierTo(to.slot).backlog() == 0) {
		return nil
	}
	return to.slot
}
