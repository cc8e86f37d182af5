package rabbitmq

import (
	"fmt"
	"sync"

	"coffer/internal/fault"
)

// evicted says whose connections end: those in a virtual host, or of a user.
type evicted struct {
	vhost  string
	user   string
	byUser bool
}

func (v evicted) reason() string {
	if v.byUser {
		return fmt.Sprintf("user '%s' is deleted", v.user)
	}
	return fmt.Sprintf("vhost '%s' is deleted", v.vhost)
}

// guests are the connections that are in, and their channels. Its zero value has none.
type guests struct {
	mu       sync.Mutex
	in       map[*guest]struct{}
	vhosts   map[string]int64 // connections
	users    map[string]int64 // connections
	channels map[string]int64 // by user
}

type guest struct {
	user, vhost string
	end         func(reason string)
}

// Admit counts a connection of a user in a virtual host until leave is called. Before,
// end may be called once, with a reason for the client, when the user or the virtual
// host is deleted; it does not block. Whether there are such a user and virtual host is
// Open's to say, which is called after Admit, so that no deletion is missed. Errors:
// [fault.Exhausted] with RabbitMQ's text at a limit.
func (b *Broker) Admit(name, vhost string, end func(reason string)) (leave func(), err error) {
	g := &b.guests
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.room(b.state.Load(), name, vhost); err != nil {
		return nil, err
	}
	if g.in == nil {
		g.in = map[*guest]struct{}{}
		g.vhosts, g.users = map[string]int64{}, map[string]int64{}
	}
	x := &guest{name, vhost, end}
	g.in[x] = struct{}{}
	g.vhosts[vhost]++
	g.users[name]++
	return func() { g.leave(x) }, nil
}

// room reports a limit that is reached. It is called with mu held.
func (g *guests) room(s *state, name, vhost string) error {
	v := s.vhosts[vhost]
	if v == nil {
		return nil // Open will say so
	}
	if most, ok := limitOf(v.row.Limits, MaxConnections); ok && g.vhosts[vhost] >= most {
		return fault.New(fault.Exhausted, "access to vhost '%s' refused for user '%s': "+
			"connection limit (%d) is reached", vhost, name, most)
	}
	u, ok := s.member(name)
	if !ok {
		return nil
	}
	if most, ok := limitOf(u.row.Limits, MaxConnections); ok && g.users[name] >= most {
		return fault.New(fault.Exhausted, "connection refused for user '%s': "+
			"user connection limit (%d) is reached", name, most)
	}
	return nil
}

func (g *guests) leave(x *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.in[x]; !ok {
		return
	}
	delete(g.in, x)
	less(g.vhosts, x.vhost)
	less(g.users, x.user)
}

func less(m map[string]int64, key string) {
	if m[key]--; m[key] == 0 {
		delete(m, key)
	}
}

// AdmitChannel counts a channel of a user until leave is called, once. Errors:
// [fault.Exhausted] with RabbitMQ's text at a limit.
func (b *Broker) AdmitChannel(name string) (leave func(), err error) {
	u, ok := b.state.Load().member(name)
	g := &b.guests
	g.mu.Lock()
	defer g.mu.Unlock()
	if ok {
		if most, ok := limitOf(u.row.Limits, MaxChannels); ok && g.channels[name] >= most {
			return nil, fault.New(fault.Exhausted, "number of channels opened for user '%s' has "+
				"reached the maximum allowed user limit of (%d)", name, most)
		}
	}
	if g.channels == nil {
		g.channels = map[string]int64{}
	}
	g.channels[name]++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		less(g.channels, name)
	}), nil
}

// evict ends the connections of a user, or in a virtual host, that was deleted.
func (b *Broker) evict(v evicted) {
	b.guests.mu.Lock()
	var list []*guest
	for x := range b.guests.in {
		if v.byUser && x.user == v.user || !v.byUser && x.vhost == v.vhost {
			list = append(list, x)
		}
	}
	b.guests.mu.Unlock()
	for _, x := range list {
		x.end(v.reason())
	}
}
