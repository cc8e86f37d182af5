package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// Vhost is a virtual host: a closed world of exchanges and queues.
type Vhost struct {
	Name        string
	Description string
	Tags        []string
	// DefaultQueueType is that of queues that are declared without one: "classic",
	// "quorum", or "": classic.
	DefaultQueueType string
}

func (r *vhostRow) vhost() Vhost {
	return Vhost{r.Name, r.Description, r.Tags, r.QueueType}
}

// Vhosts lists the virtual hosts by name. Their slices are not the caller's.
func (b *Broker) Vhosts() []Vhost {
	all := sorted(b.state.Load().vhosts, strings.Compare)
	out := make([]Vhost, len(all))
	for i, v := range all {
		out[i] = v.row.vhost()
	}
	return out
}

// Vhost gives the virtual host of that name.
func (b *Broker) Vhost(name string) (Vhost, bool) {
	v, ok := b.state.Load().vhosts[name]
	if !ok {
		return Vhost{}, false
	}
	return v.row.vhost(), true
}

// Namespace gives the exchanges and queues of a virtual host.
func (b *Broker) Namespace(vhost string) (*broker.Namespace, bool) {
	v, ok := b.state.Load().vhosts[vhost]
	if !ok {
		return nil, false
	}
	return v.ns, true
}

// PutVhost makes a virtual host, or changes what is said of an existing one, and
// reports which. Errors: [fault.Invalid].
func (b *Broker) PutVhost(ctx context.Context, v Vhost) (created bool, err error) {
	err = b.change(ctx, func(ctx context.Context, e *edit) error {
		created, err = e.putVhost(ctx, v)
		return err
	})
	return created, err
}

func (e *edit) putVhost(ctx context.Context, v Vhost) (created bool, err error) {
	if err := cmp.Or(checkName("vhost", v.Name), checkTags(v.Tags),
		checkText(v.Description)); err != nil {
		return false, err
	}
	switch v.DefaultQueueType {
	case "", "classic", "quorum":
	default:
		return false, fault.New(fault.Invalid, "Unsupported default queue type")
	}
	var next vhost
	old, ok := e.next.vhosts[v.Name]
	if err := e.lintVhost(old, v); err != nil {
		return false, err
	}
	if ok {
		next = *old
	} else if err := e.newVhost(ctx, &next.row, v.Name); err != nil {
		return false, err
	}
	next.row.Description, next.row.Tags = v.Description, v.Tags
	next.row.QueueType = cmp.Or(v.DefaultQueueType, next.row.QueueType)
	e.next.vhosts[v.Name] = &next
	e.tell(Change{What: "vhost.put", Vhost: v.Name})
	return !ok, e.put(rowVhost, &next.row, v.Name)
}

// lintVhost looks at what is new of a virtual host.
func (e *edit) lintVhost(old *vhost, v Vhost) error {
	if old == nil {
		if err := e.b.engine.looked("vhost name", v.Name); err != nil {
			return err
		}
	}
	if old != nil && old.row.Description == v.Description {
		return nil
	}
	return e.b.engine.looked("vhost description", v.Description)
}

// newVhost gives a virtual host its namespace. One that was made and could not be opened
// has it already.
func (e *edit) newVhost(ctx context.Context, row *vhostRow, name string) error {
	e.opens = append(e.opens, name)
	text, ok, err := e.tx.Get(control.TableRabbit, e.b.engine.row(e.b.id, rowVhost, name))
	if err != nil {
		return err
	}
	if ok {
		return json.Unmarshal(text, row)
	}
	row.Name, row.Namespace = name, uuid.New()
	if err := e.b.engine.core.CreateNamespace(
		ctx, broker.NamespaceID(row.Namespace)); err != nil {
		return fmt.Errorf("create vhost %q: %w", name, err)
	}
	return nil
}

// DeleteVhost deletes a virtual host with everything in it, and with the permissions,
// policies and parameters for it. Errors: [fault.NotFound].
func (b *Broker) DeleteVhost(ctx context.Context, name string) error {
	return b.change(ctx, func(ctx context.Context, e *edit) error {
		v, ok := e.next.vhosts[name]
		if !ok {
			return noVhost(name)
		}
		err := e.b.engine.core.DeleteNamespace(ctx, broker.NamespaceID(v.row.Namespace))
		if err != nil {
			return fmt.Errorf("delete vhost %q: %w", name, err)
		}
		delete(e.next.vhosts, name)
		e.delete(rowVhost, name)
		e.tell(Change{What: "vhost.delete", Vhost: name})
		for _, user := range sortedKeys(e.next.users) {
			e.leaveVhost(user, e.next.users[user], name)
		}
		for k := range e.next.policies {
			if k.vhost == name {
				e.dropPolicy(k)
			}
		}
		for k := range e.next.parameters {
			if k.component != "" && k.vhost == name {
				e.dropParameter(k)
			}
		}
		e.evicts = append(e.evicts, evicted{vhost: name})
		return nil
	})
}

// leaveVhost takes the permissions of a user in a virtual host.
func (e *edit) leaveVhost(name string, u *user, vhost string) {
	if u.permissions[vhost] != nil {
		e.dropPermission(e.next.user(name), vhost)
	}
	for k := range u.topics {
		if k.vhost == vhost {
			e.dropTopic(e.next.user(name), k)
		}
	}
}
