package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// Change tells of one thing that was changed, for logs and audit trails. It holds no
// secret: of a user neither password nor hash, of a parameter no value, of a global
// one neither.
type Change struct {
	// What is the kind of thing and what became of it: "vhost.put", "vhost.delete",
	// "user.put", "permission.put", "topic_permission.put", "policy.put",
	// "operator_policy.put", "parameter.put", "global_parameter.put", and the same
	// with delete; "vhost_limits.put" and "user_limits.put".
	What string

	By    string // who changed it, as far as [As] told; else ""
	Vhost string // "" where there is none
	User  string
	Name  string // of a policy or parameter, or the exchange of a topic permission
	Detail
}

// Detail is what else may be told of a change.
type Detail struct {
	Component string            // of a parameter
	New       map[string]string // what it is now, as far as it may be shown
}

type actorKey struct{}

// As gives a context whose changes are the user's, for logs and audit trails. It permits
// nothing.
func As(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, actorKey{}, user)
}

// LogValue groups the fields.
func (c Change) LogValue() slog.Value {
	var list []slog.Attr
	for _, f := range []struct{ name, value string }{
		{"by", c.By}, {"vhost", c.Vhost}, {"user", c.User}, {"component", c.Component},
		{"name", c.Name},
	} {
		if f.value != "" {
			list = append(list, slog.String(f.name, f.value))
		}
	}
	for _, k := range sortedKeys(c.New) {
		list = append(list, slog.String(k, c.New[k]))
	}
	return slog.GroupValue(list...)
}

// edit is a change of a broker in the making: the rows that it writes and the state
// that follows.
type edit struct {
	b      *Broker
	tx     *control.Tx
	next   *state
	told   []Change
	opens  []string // names of virtual hosts that it makes
	evicts []evicted
	shapes []string // names of virtual hosts whose policies change
}

// reshape has what is in a virtual host follow its policies, once they are durable.
func (e *edit) reshape(vhost string) {
	if !slices.Contains(e.shapes, vhost) {
		e.shapes = append(e.shapes, vhost)
	}
}

// change makes what fn edits durable and then visible. One change is under way at a
// time; those who ask meanwhile see the state before.
func (b *Broker) change(ctx context.Context, fn func(context.Context, *edit) error) error {
	if control.From(ctx) != nil {
		return errors.New("rabbitmq: change of a broker within another unit of work")
	}
	b.changing.Lock()
	defer b.changing.Unlock()
	if b.retired {
		return fault.New(fault.Unavailable, "the broker was moved")
	}
	e := &edit{b: b, next: b.state.Load().clone()}
	err := b.engine.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		e.tx = tx
		_, ok, err := tx.Get(control.TableRabbit, b.engine.row(b.id, rowBroker))
		if err == nil && !ok {
			err = fault.New(fault.NotFound, "the broker was deleted")
		}
		if err != nil {
			return err
		}
		return fn(ctx, e)
	})
	if errors.Is(err, store.ErrLimit) {
		return fault.Wrap(fault.Invalid, err, "this is too much for one change")
	}
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what is durable is carried through
	failed := e.openAll(ctx)
	for _, vhost := range e.shapes {
		e.next.rank(vhost)
	}
	e.next.fresh = nil
	b.state.Store(e.next)
	by, _ := ctx.Value(actorKey{}).(string)
	for _, c := range e.told {
		c.By = by
		b.engine.log.Info("broker changed", "broker", b.id, "change", c.What, "of", c)
		if b.engine.events.Changed != nil {
			b.engine.events.Changed(ctx, b.id, c)
		}
	}
	return errors.Join(failed, b.settle(ctx, e))
}

// settle does what follows a change that is visible.
func (b *Broker) settle(ctx context.Context, e *edit) error {
	for _, v := range e.evicts {
		b.evict(v)
	}
	b.notify()
	var errs []error
	for _, vhost := range e.shapes {
		errs = append(errs, b.reshape(ctx, vhost))
	}
	return errors.Join(errs...)
}

// openAll opens the virtual hosts that were made. One that cannot be opened is there at
// the next start.
func (e *edit) openAll(ctx context.Context) error {
	var errs []error
	for _, name := range e.opens {
		v := e.next.vhosts[name]
		if v == nil {
			continue
		}
		ns, err := e.b.enter(ctx, v.row)
		if err != nil {
			delete(e.next.vhosts, name)
			errs = append(errs, fmt.Errorf("vhost %q: %w", name, err))
			continue
		}
		e.next.vhosts[name] = &vhost{row: v.row, ns: ns}
	}
	return errors.Join(errs...)
}

func (e *edit) put(kind byte, row any, names ...string) error {
	return put(e.tx, e.b.engine.row(e.b.id, kind, names...), row)
}

func (e *edit) delete(kind byte, names ...string) {
	e.tx.Delete(control.TableRabbit, e.b.engine.row(e.b.id, kind, names...))
}

func (e *edit) tell(c Change) { e.told = append(e.told, c) }
