package rabbitmq

import (
	"cmp"
	"context"

	"coffer/internal/fault"
)

// Permission says what a user may do in a virtual host: patterns that the names of
// what is configured, written to and read match; an empty one matches no name.
type Permission struct {
	User      string `json:"user"`
	Vhost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// compile reads RabbitMQ's patterns; an empty one matches nothing but the empty
// name, as RabbitMQ reads it.
func compile(p permissionRow) (*permission, error) {
	out := permission{row: p}
	for _, x := range []struct {
		pattern string
		dst     **matcher
	}{{p.Configure, &out.configure}, {p.Write, &out.write}, {p.Read, &out.read}} {
		re, err := pattern(x.pattern)
		if err != nil {
			return nil, err
		}
		*x.dst = re
	}
	return &out, nil
}

// pattern reads a pattern of a permission.
func pattern(text string) (*matcher, error) { return newMatcher(cmp.Or(text, "^$")) }

func (p *permission) allows(action, resource string) bool {
	switch action {
	case Configure:
		return p.configure.match(resource)
	case Write:
		return p.write.match(resource)
	case Read:
		return p.read.match(resource)
	}
	return false
}

// Permissions lists all of them, by virtual host and user.
func (b *Broker) Permissions() []Permission {
	all := map[[2]string]Permission{}
	for name, u := range b.state.Load().users {
		for vhost, p := range u.permissions {
			all[[2]string{vhost, name}] = Permission(p.row)
		}
	}
	return sorted(all, comparePairs)
}

func comparePairs(a, b [2]string) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}

// PutPermission sets what a user may do in a virtual host, and reports whether it could
// do nothing there before. Errors: [fault.NotFound] of user or virtual host,
// [fault.Invalid] of a pattern.
func (b *Broker) PutPermission(ctx context.Context, p Permission) (created bool, err error) {
	err = b.change(ctx, func(_ context.Context, e *edit) error {
		created, err = e.putPermission(p)
		return err
	})
	return created && err == nil, err
}

func (e *edit) putPermission(p Permission) (created bool, err error) {
	c, err := compile(permissionRow(p))
	if err != nil {
		return false, badPattern(err)
	}
	if err := e.inVhost(p.User, p.Vhost); err != nil {
		return false, err
	}
	u := e.next.user(p.User)
	created = u.permissions[p.Vhost] == nil
	u.permissions[p.Vhost] = c
	e.tell(Change{What: "permission.put", Vhost: p.Vhost, User: p.User, Detail: Detail{
		New: map[string]string{"configure": p.Configure, "write": p.Write, "read": p.Read},
	}})
	return created, e.put(rowPermission, c.row, p.User, p.Vhost)
}

// inVhost checks that both are there.
func (e *edit) inVhost(user, vhost string) error {
	if _, ok := e.next.member(user); !ok {
		return noUser(user)
	}
	if e.next.vhosts[vhost] == nil {
		return noVhost(vhost)
	}
	return nil
}

func noUser(name string) error { return fault.New(fault.NotFound, "no such user: %s", name) }

func noVhost(name string) error { return fault.New(fault.NotFound, "no such vhost: %s", name) }

func badPattern(err error) error {
	return fault.Wrap(fault.Invalid, err, "invalid_regexp")
}

// DeletePermission takes everything in the virtual host from the user. Errors:
// [fault.NotFound].
func (b *Broker) DeletePermission(ctx context.Context, user, vhost string) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		if err := e.inVhost(user, vhost); err != nil {
			return err
		}
		u := e.next.user(user)
		if u.permissions[vhost] == nil {
			return fault.New(fault.NotFound, "user %s has no permissions in vhost %s", user, vhost)
		}
		e.dropPermission(u, vhost)
		return nil
	})
}

func (e *edit) dropPermission(u *user, vhost string) {
	delete(u.permissions, vhost)
	e.delete(rowPermission, u.row.Name, vhost)
	e.tell(Change{What: "permission.delete", Vhost: vhost, User: u.row.Name})
}
