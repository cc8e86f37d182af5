package broker

import "context"

// ConsumerInfo is what management shows of a consumer.
type ConsumerInfo struct {
	Ref       uint64
	Session   *Session
	Priority  int32
	Credit    int // deliveries that it may get; negative: unlimited
	Active    bool
	Exclusive bool
}

// Consumers lists the consumers in the order in which they registered. It asks the
// shard's owner. Errors: those of a failed or closed shard, and of ctx.
func (q *Queue) Consumers(ctx context.Context) ([]ConsumerInfo, error) {
	a, err := q.namespace.shard.ask(ctx, request{kind: reqConsumers, q: q})
	return a.list, err
}

func (st *queueState) list() []ConsumerInfo {
	all := make([]ConsumerInfo, len(st.consumers))
	for i, c := range st.consumers {
		all[i] = ConsumerInfo{
			Ref: c.spec.Ref, Session: c.session, Priority: c.spec.Priority,
			Credit: c.state.credit, Active: c.Active(), Exclusive: c.spec.Exclusive,
		}
	}
	return all
}

// Bindings lists the bindings of all addresses, in no order; "" has none. It waits for
// no change that is under way.
func (n *Namespace) Bindings() []Binding {
	n.install.Lock()
	defer n.install.Unlock()
	var list []Binding
	for _, from := range n.sources {
		for b := range from {
			list = append(list, b.shown)
		}
	}
	return list
}
