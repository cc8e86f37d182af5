package rabbitmq

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// Declarer checks what definitions declare, by the rules of the protocol's own
// declarations. Errors: [fault.Invalid] with RabbitMQ's text, [fault.NotImplemented].
type Declarer interface {
	// Queue gives the queue that a declaration makes.
	Queue(vhost string, q DefinedQueue) (broker.QueueSpec, error)
	// Exchange gives the exchange that a declaration makes.
	Exchange(vhost string, x DefinedExchange) (broker.Address, error)
	// Binding gives the binding that a declaration makes at an exchange of a type.
	Binding(b DefinedBinding, source broker.AddressKind) (broker.Binding, error)
}

// makings are what definitions declare, checked.
type makings struct {
	exchanges []declaring[broker.Address]
	queues    []declaring[broker.QueueSpec]
	bindings  []DefinedBinding
}

type declaring[T any] struct {
	vhost string
	what  T
}

// makings checks the exchanges, queues and bindings of definitions.
func (b *Broker) makings(d *Definitions) (m makings, err error) {
	vhosts := map[string]bool{}
	for _, v := range b.Vhosts() {
		vhosts[v.Name] = true
	}
	for _, v := range d.Vhosts {
		vhosts[v.Name] = true
	}
	known := func(vhost, kind, name string) error {
		switch {
		case vhost == "":
			return fault.New(fault.Invalid, "%s '%s': Virtual host does not exist and is not "+
				"specified in definitions file.", kind, name)
		case !vhosts[vhost]:
			return fault.New(fault.Invalid, "%s '%s': Please create virtual host \"%s\" prior to "+
				"importing definitions.", kind, name, vhost)
		}
		return nil
	}
	for _, x := range d.Exchanges {
		if err := known(x.Vhost, "exchange", x.Name); err != nil {
			return m, err
		}
		switch {
		case x.Name == "" || strings.HasPrefix(x.Name, reserved):
			continue
		case len(x.Name) > maxShortName:
			return m, fault.New(fault.Invalid,
				"name of an exchange is longer than %d bytes", maxShortName)
		}
		a, err := b.engine.declarer.Exchange(x.Vhost, x)
		if err != nil {
			return m, err
		}
		m.exchanges = append(m.exchanges, declaring[broker.Address]{x.Vhost, a})
	}
	for _, q := range d.Queues {
		if err := known(q.Vhost, "queue", q.Name); err != nil {
			return m, err
		}
		switch {
		case strings.HasPrefix(q.Name, reserved):
			continue
		case q.Name == "" || len(q.Name) > maxShortName:
			return m, fault.New(fault.Invalid,
				"name of a queue is empty or longer than %d bytes", maxShortName)
		}
		spec, err := b.engine.declarer.Queue(q.Vhost, q)
		if err != nil {
			return m, err
		}
		m.queues = append(m.queues, declaring[broker.QueueSpec]{q.Vhost, spec})
	}
	for _, x := range d.Bindings {
		if err := known(x.Vhost, "binding of exchange", x.Source); err != nil {
			return m, err
		}
		if x.DestinationType != "queue" && x.DestinationType != "exchange" {
			return m, fault.New(fault.Invalid, "binding of exchange '%s': destination_type is "+
				"neither queue nor exchange", x.Source)
		}
	}
	m.bindings = d.Bindings
	return m, b.roomForQueues(m.queues)
}

// roomForQueues checks the limits of virtual hosts before anything is made.
func (b *Broker) roomForQueues(list []declaring[broker.QueueSpec]) error {
	more := map[string]int{}
	for _, q := range list {
		if ns, ok := b.Namespace(q.vhost); ok {
			if _, there := ns.Topology().Queue(q.what.Name); !there {
				more[q.vhost]++
			}
		}
	}
	for _, vhost := range sortedKeys(more) {
		ns, _ := b.Namespace(vhost)
		most, ok := limitOf(b.VhostLimits(vhost), MaxQueues)
		if n := ns.Usage().Queues; ok && n+int64(more[vhost]) > most {
			return fault.New(fault.Invalid, "Adding %d queue(s) to virtual host \"%s\" would "+
				"exceed the limit of %d queue(s).\n\nThis virtual host currently has %d queue(s) "+
				"defined.\n\nImport aborted!", more[vhost], vhost, most, n)
		}
	}
	return nil
}

// What one change of the topology takes of an import.
const (
	makeStep  = 256     // queues or bindings
	makeBytes = 1 << 20 // of their arguments
)

// makeAll declares what was checked.
func (b *Broker) makeAll(ctx context.Context, m makings) error {
	for _, x := range m.exchanges {
		if err := b.makeExchange(ctx, x.vhost, x.what); err != nil {
			return fmt.Errorf("import exchange %q: %w", x.what.Name, err)
		}
	}
	size := func(q declaring[broker.QueueSpec]) (string, int) {
		return q.vhost, len(q.what.Arguments)
	}
	for list := range steps(m.queues, size) {
		if err := b.makeQueues(ctx, list); err != nil {
			return fmt.Errorf("import queue %q and others: %w", list[0].what.Name, err)
		}
	}
	var bindings []declaring[broker.Binding]
	for _, x := range m.bindings {
		binding, ok, err := b.binding(x)
		if err == nil && ok && binding.Address != "" {
			err = b.makeBinding(ctx, x.Vhost, binding)
		}
		if err != nil {
			return fmt.Errorf("import binding of %q: %w", x.Source, err)
		}
		if ok && binding.Address == "" {
			bindings = append(bindings, declaring[broker.Binding]{x.Vhost, binding})
		}
	}
	of := func(x declaring[broker.Binding]) (string, int) { return x.vhost, len(x.what.Arguments) }
	for list := range steps(bindings, of) {
		if err := b.makeBindings(ctx, list); err != nil {
			return fmt.Errorf("import binding of %q and others: %w", list[0].what.Source, err)
		}
	}
	return nil
}

// steps cuts a list into parts that one change takes, each of one virtual host.
func steps[T any](list []T, of func(T) (vhost string, bytes int)) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			vhost, sum := of(list[0])
			n := 1
			for ; n < min(len(list), makeStep); n++ {
				next, bytes := of(list[n])
				if sum += bytes; next != vhost || sum > makeBytes {
					break
				}
			}
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

func (b *Broker) makeExchange(ctx context.Context, vhost string, a broker.Address) error {
	ns, ok := b.Namespace(vhost)
	if !ok {
		return noVhost(vhost)
	}
	if _, there := ns.Topology().Address(a.Name); there {
		return nil
	}
	if a.Alternate == "" {
		a.Alternate = b.Alternate(vhost, a.Name)
	}
	if _, _, err := ns.DeclareAddress(ctx, a); err != nil {
		return err
	}
	return b.ConformExchange(ctx, vhost, a.Name)
}

func (b *Broker) makeQueues(ctx context.Context, list []declaring[broker.QueueSpec]) error {
	vhost := list[0].vhost
	ns, ok := b.Namespace(vhost)
	if !ok {
		return noVhost(vhost)
	}
	specs := make([]broker.QueueSpec, 0, len(list))
	for _, q := range list {
		q.what.Limits = b.Limit(vhost, q.what.Name, q.what.Arguments)
		specs = append(specs, q.what)
	}
	made, err := ns.DeclareQueues(ctx, specs)
	if most := ns.Quota().MaxQueues; most.Set && fault.KindOf(err) == fault.Exhausted {
		return fault.New(fault.Invalid, "cannot declare queue '%s': queue limit in vhost '%s' "+
			"(%d) is reached", specs[0].Name, vhost, most.N)
	}
	if err != nil {
		return err
	}
	for _, q := range made {
		if err := b.Conform(ctx, vhost, q); err != nil {
			return err
		}
	}
	return nil
}

// binding checks a binding; ok tells that its source is there, and not the default one.
func (b *Broker) binding(x DefinedBinding) (_ broker.Binding, ok bool, err error) {
	ns, ok := b.Namespace(x.Vhost)
	if !ok {
		return broker.Binding{}, false, noVhost(x.Vhost)
	}
	source, ok := ns.Topology().Address(x.Source)
	if !ok {
		return broker.Binding{}, false, nil
	}
	binding, err := b.engine.declarer.Binding(x, source.Kind)
	return binding, err == nil, err
}

// makeBinding binds to another exchange, if it is there.
func (b *Broker) makeBinding(ctx context.Context, vhost string, x broker.Binding) error {
	ns, ok := b.Namespace(vhost)
	if !ok {
		return noVhost(vhost)
	}
	err := ns.Bind(ctx, x)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// makeBindings binds queues, as far as they are there.
func (b *Broker) makeBindings(ctx context.Context, list []declaring[broker.Binding]) error {
	ns, ok := b.Namespace(list[0].vhost)
	if !ok {
		return noVhost(list[0].vhost)
	}
	bindings := make([]broker.Binding, len(list))
	for i := range list {
		bindings[i] = list[i].what
	}
	return ns.BindQueues(ctx, bindings)
}
