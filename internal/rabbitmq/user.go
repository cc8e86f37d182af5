package rabbitmq

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"coffer/internal/fault"
)

// UserInfo is what is shown of a user. Hash and Algorithm are those of the export: of a
// user whose password is kept as argon2id, which RabbitMQ does not know, Hash is "" and
// Argon2id has it.
type UserInfo struct {
	Name      string
	Tags      []string
	Hash      string // base64 of salt and digest; "": nobody signs in with a password
	Algorithm string // RabbitMQ's name of a module
	Argon2id  string // "argon2id$…"; or ""
	Limits    map[string]int64
}

// UserSpec says what a user is to be. At most one of Password and Hash is given;
// without both nobody signs in with a password.
type UserSpec struct {
	Name string
	Tags []string

	Password []byte // not kept
	Hash     string // base64 of salt and digest
	// Algorithm is how Hash was made, or how Password is to be kept when it must be
	// known to a RabbitMQ that imports it: one of RabbitMQ's three names. The default
	// for Hash is RabbitMQ's, SHA-256, for Password argon2id.
	Algorithm string
	// Argon2id is a hash that the export of Coffer shows, instead of both.
	Argon2id string
}

func (r *userRow) info() UserInfo {
	i := UserInfo{
		Name: r.Name, Tags: r.Tags, Hash: r.Hash, Algorithm: r.Algorithm, Limits: r.Limits,
	}
	if r.Algorithm == "" {
		i.Algorithm, i.Hash, i.Argon2id = hashSHA256, "", r.Hash
	}
	return i
}

func (r *userRow) hasPassword() bool { return r.Hash != "" }

// stored gives the hash in the form that [Hasher.Verify] takes.
func (r *userRow) stored() string {
	if r.Algorithm == "" {
		return r.Hash
	}
	return r.Algorithm + "$" + r.Hash
}

// Users lists the users by name. What they hold is not the caller's.
func (b *Broker) Users() []UserInfo {
	var out []UserInfo
	for _, u := range sorted(b.state.Load().users, strings.Compare) {
		if u.known {
			out = append(out, u.row.info())
		}
	}
	return out
}

// User gives the user of that name.
func (b *Broker) User(name string) (UserInfo, bool) {
	u, ok := b.state.Load().member(name)
	if !ok {
		return UserInfo{}, false
	}
	return u.row.info(), true
}

// PutUser makes a user, or gives an existing one another password and other tags, and
// reports which. Errors: [fault.Invalid], [fault.Unavailable] while too many passwords
// are being hashed.
func (b *Broker) PutUser(ctx context.Context, s UserSpec) (created bool, err error) {
	row, err := b.userRow(ctx, &s)
	if err != nil {
		return false, err
	}
	err = b.change(ctx, func(_ context.Context, e *edit) error {
		created, err = e.putUser(row)
		return err
	})
	return created, err
}

// userRow checks a user and hashes its password.
func (b *Broker) userRow(ctx context.Context, s *UserSpec) (row userRow, err error) {
	row = userRow{Name: s.Name, Tags: slices.Clone(s.Tags)}
	if err := cmp.Or(checkName("user", s.Name), checkTags(s.Tags)); err != nil {
		return row, err
	}
	switch {
	case s.Argon2id != "":
		if _, _, err := parseHash(s.Argon2id); err != nil {
			return row, fault.Wrap(fault.Invalid, err, "invalid argon2id hash")
		}
		row.Hash = s.Argon2id
	case s.Password != nil:
		row.Hash, row.Algorithm, err = b.engine.hasher.keep(ctx, s.Password, s.Algorithm)
	case s.Hash != "":
		row.Hash, row.Algorithm, err = checkHash(s.Hash, s.Algorithm)
	}
	return row, err
}

func (e *edit) putUser(row userRow) (created bool, err error) {
	_, ok := e.next.member(row.Name)
	if !ok {
		if err := e.b.engine.looked("user name", row.Name); err != nil {
			return false, err
		}
	}
	u := e.next.user(row.Name)
	row.Limits = u.row.Limits
	u.row, u.known = row, true
	e.tell(Change{What: "user.put", User: row.Name, Detail: Detail{
		New: map[string]string{"tags": strings.Join(row.Tags, ",")},
	}})
	return !ok, e.put(rowUser, &row, row.Name)
}

// DeleteUser deletes a user with its permissions, and closes its connections. Errors:
// [fault.NotFound].
func (b *Broker) DeleteUser(ctx context.Context, name string) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		if _, ok := e.next.member(name); !ok {
			return noUser(name)
		}
		u := e.next.user(name)
		for _, vhost := range sortedKeys(u.permissions) {
			e.dropPermission(u, vhost)
		}
		for k := range u.topics {
			e.dropTopic(u, k)
		}
		delete(e.next.users, name)
		e.delete(rowUser, name)
		e.tell(Change{What: "user.delete", User: name})
		e.evicts = append(e.evicts, evicted{user: name, byUser: true})
		return nil
	})
}
