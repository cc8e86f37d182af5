package rabbitmq

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq/parameter"
)

// Limits of virtual hosts and users. Negative values are none.
const (
	MaxConnections = "max-connections"
	MaxQueues      = "max-queues"   // of a virtual host
	MaxChannels    = "max-channels" // of a user
)

// VhostLimits gives the limits of a virtual host by name; nil where there are none. It
// is not the caller's.
func (b *Broker) VhostLimits(vhost string) map[string]int64 {
	if v := b.state.Load().vhosts[vhost]; v != nil {
		return v.row.Limits
	}
	return nil
}

// UserLimits gives the limits of a user by name; nil where there are none. It is not
// the caller's.
func (b *Broker) UserLimits(name string) map[string]int64 {
	if u, ok := b.state.Load().member(name); ok {
		return u.row.Limits
	}
	return nil
}

// SetVhostLimit sets a limit of a virtual host. Errors: [fault.NotFound],
// [fault.Invalid].
func (b *Broker) SetVhostLimit(ctx context.Context, vhost, name string, value int64) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		if name != MaxConnections && name != MaxQueues {
			return notValid("Unrecognised terms [{%s,%d}] in limits", parameter.Term(name), value)
		}
		return e.limitVhost(vhost, with(e.b.VhostLimits(vhost), name, value))
	})
}

// ClearVhostLimit removes a limit of a virtual host. Errors: [fault.NotFound].
func (b *Broker) ClearVhostLimit(ctx context.Context, vhost, name string) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		return e.limitVhost(vhost, without(e.b.VhostLimits(vhost), name))
	})
}

// SetUserLimit sets a limit of a user. Errors: [fault.NotFound], [fault.Invalid].
func (b *Broker) SetUserLimit(ctx context.Context, user, name string, value int64) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		if name != MaxConnections && name != MaxChannels {
			return fault.New(fault.Invalid, "Unrecognised terms [{%s,%d}] in user-limits",
				parameter.Term(name), value)
		}
		return e.limitUser(user, with(e.b.UserLimits(user), name, value))
	})
}

// ClearUserLimit removes a limit of a user. Errors: [fault.NotFound].
func (b *Broker) ClearUserLimit(ctx context.Context, user, name string) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		return e.limitUser(user, without(e.b.UserLimits(user), name))
	})
}

func with(m map[string]int64, name string, value int64) map[string]int64 {
	if m = maps.Clone(m); m == nil {
		m = map[string]int64{}
	}
	m[name] = value
	return m
}

func without(m map[string]int64, name string) map[string]int64 {
	m = maps.Clone(m)
	delete(m, name)
	return m
}

func (e *edit) limitVhost(name string, limits map[string]int64) error {
	old := e.next.vhosts[name]
	if old == nil {
		return noVhost(name)
	}
	v := *old
	v.row.Limits = limits
	e.next.vhosts[name] = &v
	e.reshape(name)
	e.tell(Change{What: "vhost_limits.put", Vhost: name, Detail: Detail{New: texts(limits)}})
	return e.put(rowVhost, &v.row, name)
}

func (e *edit) limitUser(name string, limits map[string]int64) error {
	if _, ok := e.next.member(name); !ok {
		return noUser(name)
	}
	u := e.next.user(name)
	u.row.Limits = limits
	e.tell(Change{What: "user_limits.put", User: name, Detail: Detail{New: texts(limits)}})
	return e.put(rowUser, &u.row, name)
}

func texts(m map[string]int64) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = strconv.FormatInt(v, 10)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// limitOf gives a limit that is set and not negative.
func limitOf(m map[string]int64, name string) (int64, bool) {
	n, ok := m[name]
	return n, ok && n >= 0
}
