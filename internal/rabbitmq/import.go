package rabbitmq

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq/parameter"
)

// Import makes what definitions say, of the whole broker or, if vhost is not "", in that
// virtual host, whatever the file says where it is from. Users, permissions, parameters
// and policies replace those of their names; queues and exchanges that are there stay as
// they are; names that begin with "amq." and bindings of what is not there are passed
// over, as RabbitMQ does.
//
// All of the file is checked first. What is not in a virtual host, parameters and
// policies are one change, made whole or not at all; exchanges, queues and bindings
// follow one by one and, after a failure in the middle, such as of the disk, can be
// imported again. What components do on this broker they do as the broker: a file is for
// administrators to import. Errors: [fault.Invalid] with RabbitMQ's text, [fault.NotFound] of
// vhost, [fault.NotImplemented].
func (b *Broker) Import(ctx context.Context, d Definitions, vhost string) error {
	if vhost != "" {
		if _, ok := b.Vhost(vhost); !ok {
			return noVhost(vhost)
		}
		d = d.one(vhost)
	}
	rows, err := b.definedUsers(ctx, &d)
	if err != nil {
		return err
	}
	made, err := b.makings(&d)
	if err != nil {
		return err
	}
	err = b.change(ctx, func(ctx context.Context, e *edit) error {
		return e.take(ctx, &d, rows)
	})
	if err != nil {
		return err
	}
	return b.makeAll(ctx, made)
}

// take makes what is not an exchange, a queue or a binding.
func (e *edit) take(ctx context.Context, d *Definitions, users []userRow) error {
	for _, row := range users {
		limits := row.Limits
		if _, err := e.putUser(row); err != nil {
			return err
		}
		if len(limits) > 0 {
			if err := e.limitUser(row.Name, limits); err != nil {
				return err
			}
		}
	}
	for i := range d.Vhosts {
		if err := e.takeVhost(ctx, &d.Vhosts[i]); err != nil {
			return err
		}
	}
	for _, p := range d.Permissions {
		if _, err := e.putPermission(p); err != nil {
			return about(err, "permission of user '%s' in vhost '%s'", p.User, p.Vhost)
		}
	}
	for _, p := range d.TopicPermissions {
		if _, err := e.putTopic(p); err != nil {
			return about(err, "topic permission of user '%s' in vhost '%s'", p.User, p.Vhost)
		}
	}
	for _, p := range d.GlobalParameters {
		if _, err := e.setParameter(Parameter{Name: p.Name, Value: p.Value}); err != nil {
			return about(err, "global parameter '%s'", p.Name)
		}
	}
	for i := range d.Policies {
		if err := e.takePolicy(&d.Policies[i]); err != nil {
			return err
		}
	}
	for _, p := range d.Parameters {
		_, err := e.putParameter(Parameter{
			Component: p.Component, Vhost: p.Vhost, Name: p.Name, Value: p.Value,
		})
		if err != nil {
			return inFile(err, " (%s/%s/%s)", p.Vhost, p.Component, p.Name)
		}
	}
	return nil
}

// inFile says where in the file something is wrong, which makes the file invalid.
func inFile(err error, format string, args ...any) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	kind := e.Kind
	if kind == fault.NotFound {
		kind = fault.Invalid
	}
	return fault.Wrap(kind, e.Err, e.Text+fmt.Sprintf(format, args...))
}

// about is inFile with the place before the text.
func about(err error, format string, args ...any) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	return inFile(fault.Wrap(e.Kind, e.Err, fmt.Sprintf(format, args...)+": "+e.Text), "")
}

func (e *edit) takeVhost(ctx context.Context, d *DefinedVhost) error {
	v := Vhost{d.Name, d.Description, d.Tags, d.DefaultQueueType}
	if m := d.Metadata; m != nil {
		v.Description = cmp.Or(v.Description, m.Description)
		v.DefaultQueueType = cmp.Or(v.DefaultQueueType, m.DefaultQueueType)
		if v.Tags == nil {
			v.Tags = m.Tags
		}
	}
	if v.DefaultQueueType == "undefined" {
		v.DefaultQueueType = ""
	}
	if old := e.next.vhosts[d.Name]; old != nil { // what the file does not say stays
		v.Description = cmp.Or(v.Description, old.row.Description)
		if len(v.Tags) == 0 {
			v.Tags = old.row.Tags
		}
	}
	_, err := e.putVhost(ctx, v)
	return about(err, "vhost '%s'", d.Name)
}

func (e *edit) takePolicy(p *DefinedPolicy) error {
	if p.Name == "" {
		return fault.New(fault.Invalid, "policy in virtual host '%s' has undefined name", p.Vhost)
	}
	priority, err := strconv.ParseFloat(cmp.Or(string(p.Priority), "0"), 64)
	if err != nil || priority != priority || priority < -1<<31 || priority > 1<<31 {
		return notValid("priority should be a number, actually was %s",
			parameter.Term(p.Priority))
	}
	_, err = e.putPolicy(Policy{
		Vhost: p.Vhost, Name: p.Name, Pattern: p.Pattern, ApplyTo: cmp.Or(p.ApplyTo, "all"),
		Priority: int(priority), Definition: p.Definition,
	})
	return inFile(err, " (%s/%s)", p.Vhost, p.Name)
}

// definedUsers checks the users of definitions and hashes their passwords.
func (b *Broker) definedUsers(ctx context.Context, d *Definitions) ([]userRow, error) {
	version := cmp.Or(d.RabbitMQVersion, d.RabbitVersion)
	rows := make([]userRow, 0, len(d.Users))
	for i := range d.Users {
		u := &d.Users[i]
		s, err := u.spec(version)
		if err != nil {
			return nil, about(err, "user '%s'", u.Name)
		}
		row, err := b.userRow(ctx, &s)
		clear(s.Password)
		if err != nil {
			return nil, about(err, "user '%s'", u.Name)
		}
		for _, name := range sortedKeys(u.Limits) {
			if name != MaxConnections && name != MaxChannels {
				return nil, fault.New(fault.Invalid, "Unrecognised terms [{%s,%d}] in user-limits",
					parameter.Term(name), u.Limits[name])
			}
		}
		row.Limits = u.Limits
		rows = append(rows, row)
	}
	return rows, nil
}

// spec gives what a user of a file of that version is to be.
func (u *DefinedUser) spec(version string) (UserSpec, error) {
	s := UserSpec{Name: u.Name, Algorithm: u.Algorithm}
	switch {
	case u.Tags != nil:
		s.Tags = *u.Tags
	case u.Administrator != nil:
		if bytes.Contains(u.Administrator, []byte("true")) {
			s.Tags = []string{"administrator"}
		}
	default:
		return s, fault.New(fault.Invalid, "tags_not_present")
	}
	switch {
	case u.Password != nil && u.PasswordHash != nil:
		return s, fault.New(fault.Invalid, "both_password_and_password_hash_are_provided")
	case u.Password != nil:
		s.Password, s.Algorithm = slices.Clone(*u.Password), ""
	case u.PasswordHash != nil && *u.PasswordHash != "":
		s.Hash = *u.PasswordHash
		if s.Algorithm == "" && oldHash(version) {
			s.Algorithm = hashMD5
		}
	default:
		s.Argon2id, s.Algorithm = u.Argon2id, ""
	}
	return s, nil
}

// oldHash reports whether a RabbitMQ of that version keeps passwords as MD5.
func oldHash(version string) bool {
	for _, v := range [...]string{"3.5.", "3.4.", "3.3.", "3.2.", "3.1.", "3.0."} {
		if strings.HasPrefix(version, v) {
			return true
		}
	}
	return false
}
