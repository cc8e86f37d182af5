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
	case at == nil || to != nil && sameDomain(from, to) != nil:
		sh.counters.lost.Add(1)
	case at == sh && to != nil && sh.courierTo(sh).backlog() == 0:
		b.targets, _ = to.Topology().Route(nil, b.message.Address, b.message.Key)
	default:
		b.away, b.namespace = at, id
	}
}

// sendAway sends a dead message to its namespace.
func (sh *shard) sendAway(b *burial) {
	if b.away != nil {
		sh.send(b.away, &parcel{namespace: b.namespace, message: b.message, history: &b.history})
		b.away = nil
	}
}
