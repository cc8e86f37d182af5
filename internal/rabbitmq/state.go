package rabbitmq

import (
	"maps"
	"slices"

	"coffer/internal/broker"
)

// state is all that a broker is, as of one moment. It is never changed once the
// broker shows it: a change edits a clone.
type state struct {
	vhosts     map[string]*vhost
	users      map[string]*user
	policies   map[policyKey]*policy
	ranked     map[scope][]*policy
	parameters map[parameterKey]setting

	// fresh are the users whose maps may be changed; nil once the state is shown.
	fresh map[string]struct{}
}

type vhost struct {
	row vhostRow
	ns  *broker.Namespace // nil while it is being made
}

type user struct {
	row         userRow
	known       bool                   // has a row; else only permissions were read yet
	permissions map[string]*permission // by vhost
	topics      map[topicKey]*topicPermission
}

type topicKey struct{ vhost, exchange string }

type policyKey struct {
	operator    bool
	vhost, name string
}

// parameterKey names a parameter; global ones have no component.
type parameterKey struct{ component, vhost, name string }

// permission holds RabbitMQ's three patterns.
type permission struct {
	row                    permissionRow
	configure, write, read *matcher
}

func newState() *state {
	return &state{
		vhosts: map[string]*vhost{}, users: map[string]*user{},
		policies: map[policyKey]*policy{}, ranked: map[scope][]*policy{},
		parameters: map[parameterKey]setting{},
	}
}

// clone gives a state whose maps may be changed, but not what they hold.
func (s *state) clone() *state {
	return &state{
		vhosts: maps.Clone(s.vhosts), users: maps.Clone(s.users),
		policies: maps.Clone(s.policies), ranked: maps.Clone(s.ranked),
		parameters: maps.Clone(s.parameters),
	}
}

// user gives the user of a state being made for a change, with maps of its own.
func (s *state) user(name string) *user {
	if _, ok := s.fresh[name]; ok && s.users[name] != nil {
		return s.users[name]
	}
	if s.fresh == nil {
		s.fresh = map[string]struct{}{}
	}
	s.fresh[name] = struct{}{}
	u := &user{row: userRow{Name: name}}
	if old, ok := s.users[name]; ok {
		*u = *old
	}
	u.permissions, u.topics = maps.Clone(u.permissions), maps.Clone(u.topics)
	if u.permissions == nil {
		u.permissions = map[string]*permission{}
	}
	if u.topics == nil {
		u.topics = map[topicKey]*topicPermission{}
	}
	s.users[name] = u
	return u
}

// member reports whether there is a user of the name.
func (s *state) member(name string) (*user, bool) {
	u, ok := s.users[name]
	return u, ok && u.known
}

// sorted gives the values of a map in the order of its keys.
func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int) []V {
	keys := slices.SortedFunc(maps.Keys(m), compare)
	out := make([]V, len(keys))
	for i, k := range keys {
		out[i] = m[k]
	}
	return out
}
