package rabbitmq

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// Broker is one open RabbitMQ broker. What it is asked is answered from memory, by a
// state that each change replaces once it is durable. It is safe for concurrent use.
type Broker struct {
	engine *Engine
	id     uuid.UUID
	domain broker.Domain
	state  atomic.Pointer[state]

	changing sync.Mutex // one change at a time, until it is durable and visible
	retired  bool       // guarded by changing: another Broker stands for it, or none

	mu         sync.Mutex
	watch      map[*func()]struct{} // of locks
	parameters map[*func()]struct{} // of changes
	guests     guests
}

// ID names the broker.
func (b *Broker) ID() uuid.UUID { return b.id }

// enter opens the namespace of a virtual host, with the exchanges that each has.
func (b *Broker) enter(ctx context.Context, v vhostRow) (*broker.Namespace, error) {
	ns, err := b.engine.core.OpenNamespace(broker.NamespaceID(v.Namespace), b.domain)
	if err != nil {
		return nil, err
	}
	for _, x := range [...]broker.Address{
		{Name: "amq.direct", Kind: broker.Direct, Durable: true},
		{Name: "amq.fanout", Kind: broker.Fanout, Durable: true},
		{Name: "amq.headers", Kind: broker.Matched, Durable: true},
		{Name: "amq.match", Kind: broker.Matched, Durable: true},
		{Name: "amq.topic", Kind: broker.Pattern, Durable: true},
	} {
		if _, ok := ns.Topology().Address(x.Name); ok {
			continue
		}
		if _, _, err := ns.DeclareAddress(ctx, x); err != nil {
			return nil, err
		}
	}
	return ns, nil
}

// Authenticate checks a name and a password: nil or [fault.Unauthenticated].
func (b *Broker) Authenticate(ctx context.Context, name string, password []byte) error {
	u, known := b.state.Load().member(name)
	hash := b.engine.decoy
	usable := known && u.row.hasPassword()
	if usable {
		hash = u.row.stored()
	}
	ok, err := b.engine.hasher.Verify(ctx, hash, password)
	if err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	if !ok || !usable {
		return fault.New(fault.Unauthenticated, "invalid credentials")
	}
	return nil
}

// Open enters a virtual host: [fault.NotFound] if there is none of the name,
// [fault.Denied] if the user has no permission in it.
func (b *Broker) Open(_ context.Context, name, vhost string) (*broker.Namespace, error) {
	s := b.state.Load()
	v, ok := s.vhosts[vhost]
	if !ok {
		return nil, fault.New(fault.NotFound, "vhost %s not found", vhost)
	}
	if u, ok := s.member(name); !ok || u.permissions[vhost] == nil {
		return nil, fault.New(fault.Denied,
			"access to vhost '%s' refused for user '%s'", vhost, name)
	}
	return v.ns, nil
}

// Actions that a permission is needed for.
const (
	Configure = "configure"
	Write     = "write"
	Read      = "read"
)

// Permit is nil when the user may do the action with the named exchange or
// queue of the virtual host; else [fault.Denied] with RabbitMQ's text.
func (b *Broker) Permit(name, vhost, kind, resource, action string) error {
	if u, ok := b.state.Load().member(name); ok && u.permissions[vhost] != nil {
		if u.permissions[vhost].allows(action, resource) {
			return nil
		}
	}
	return fault.New(fault.Denied, "%s access to %s '%s' in vhost '%s' refused for user '%s'",
		action, kind, resource, vhost, name)
}

// Impersonates reports whether the user has the tag impersonator, and so may publish
// messages in the names of others.
func (b *Broker) Impersonates(name string) bool {
	u, ok := b.state.Load().member(name)
	return ok && slices.Contains(u.row.Tags, "impersonator")
}

// Watch calls fn after each change of the lock of the broker's domain, until
// stop is called.
func (b *Broker) Watch(fn func()) (stop func()) { return b.watching(b.watch, fn) }

func (b *Broker) watching(list map[*func()]struct{}, fn func()) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := &fn
	list[key] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(list, key)
	}
}

// changed tells the watchers of the lock; it is called by the domain and must not block.
func (b *Broker) changed() { b.call(b.watch) }

// notify tells those who watch parameters.
func (b *Broker) notify() { b.call(b.parameters) }

func (b *Broker) call(list map[*func()]struct{}) {
	b.mu.Lock()
	all := make([]func(), 0, len(list))
	for fn := range list {
		all = append(all, *fn)
	}
	b.mu.Unlock()
	for _, fn := range all {
		fn()
	}
}

// retire keeps a Broker from changing what another one stands for.
func (b *Broker) retire() {
	b.changing.Lock()
	defer b.changing.Unlock()
	b.retired = true
}
