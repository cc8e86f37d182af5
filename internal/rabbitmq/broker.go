package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// Broker is one open RabbitMQ broker: its users and virtual hosts as they were
// when it was opened. It is safe for concurrent use.
type Broker struct {
	engine *Engine
	id     uuid.UUID
	users  map[string]*user
	vhosts map[string]*broker.Namespace

	mu    sync.Mutex
	watch map[*func()]struct{}
}

type user struct {
	hash        string
	tags        []string
	permissions map[string]*permission // by vhost
}

// permission holds RabbitMQ's three patterns; nil matches nothing.
type permission struct{ configure, write, read *regexp.Regexp }

func (b *Broker) load(kind byte, value []byte, domain broker.Domain) error {
	switch kind {
	case rowVhost:
		var v vhostRow
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("vhost: %w", err)
		}
		ns, err := b.engine.core.OpenNamespace(broker.NamespaceID(v.Namespace), domain)
		if err != nil {
			return fmt.Errorf("vhost %q: %w", v.Name, err)
		}
		b.vhosts[v.Name] = ns
	case rowUser:
		var u userRow
		if err := json.Unmarshal(value, &u); err != nil {
			return fmt.Errorf("user: %w", err)
		}
		b.user(u.Name).hash, b.user(u.Name).tags = u.Hash, u.Tags
	case rowPermission:
		var p permissionRow
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("permission: %w", err)
		}
		c, err := compile(p)
		if err != nil {
			return fmt.Errorf("permission of %q in %q: %w", p.User, p.Vhost, err)
		}
		b.user(p.User).permissions[p.Vhost] = c
	default:
		return fmt.Errorf("row of the unknown kind %q", kind)
	}
	return nil
}

func (b *Broker) user(name string) *user {
	u, ok := b.users[name]
	if !ok {
		u = &user{permissions: map[string]*permission{}}
		b.users[name] = u
	}
	return u
}

// compile reads RabbitMQ's patterns; an empty one matches nothing but the empty
// name, as RabbitMQ reads it.
func compile(p permissionRow) (*permission, error) {
	var out permission
	for _, x := range []struct {
		pattern string
		dst     **regexp.Regexp
	}{{p.Configure, &out.configure}, {p.Write, &out.write}, {p.Read, &out.read}} {
		pattern := x.pattern
		if pattern == "" {
			pattern = "^$"
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		*x.dst = re
	}
	return &out, nil
}

// Authenticate checks a name and a password: nil or [fault.Unauthenticated].
func (b *Broker) Authenticate(ctx context.Context, name string, password []byte) error {
	u, known := b.users[name]
	hash := b.engine.decoy
	if known && u.hash != "" {
		hash = u.hash
	}
	ok, err := b.engine.hasher.Verify(ctx, hash, password)
	if err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	if !ok || !known || u.hash == "" {
		return fault.New(fault.Unauthenticated, "invalid credentials")
	}
	return nil
}

// Open enters a virtual host: [fault.NotFound] if there is none of the name,
// [fault.Denied] if the user has no permission in it.
func (b *Broker) Open(_ context.Context, name, vhost string) (*broker.Namespace, error) {
	ns, ok := b.vhosts[vhost]
	if !ok {
		return nil, fault.New(fault.NotFound, "vhost %s not found", vhost)
	}
	if u := b.users[name]; u == nil || u.permissions[vhost] == nil {
		return nil, fault.New(fault.Denied,
			"access to vhost '%s' refused for user '%s'", vhost, name)
	}
	return ns, nil
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
	var re *regexp.Regexp
	if u := b.users[name]; u != nil && u.permissions[vhost] != nil {
		p := u.permissions[vhost]
		switch action {
		case Configure:
			re = p.configure
		case Write:
			re = p.write
		case Read:
			re = p.read
		}
	}
	if re != nil && re.MatchString(resource) {
		return nil
	}
	return fault.New(fault.Denied, "%s access to %s '%s' in vhost '%s' refused for user '%s'",
		action, kind, resource, vhost, name)
}

// Impersonates reports whether the user has the tag impersonator, and so may publish
// messages in the names of others.
func (b *Broker) Impersonates(name string) bool {
	u := b.users[name]
	return u != nil && slices.Contains(u.tags, "impersonator")
}

// Watch calls fn after each change of the lock of the broker's domain, until
// stop is called.
func (b *Broker) Watch(fn func()) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := &fn
	b.watch[key] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watch, key)
	}
}

// changed tells the watchers; it is called by the domain and must not block.
func (b *Broker) changed() {
	b.mu.Lock()
	list := make([]func(), 0, len(b.watch))
	for fn := range b.watch {
		list = append(list, *fn)
	}
	b.mu.Unlock()
	for _, fn := range list {
		fn()
	}
}
