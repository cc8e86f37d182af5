// Package rabbitmq is the RabbitMQ engine: the virtual hosts, users, permissions,
// policies, limits and parameters of each broker, kept in shard 0, and their definitions
// files. It satisfies what the AMQP protocols and service/mq need of an engine.
//
// Guarantees: what is asked of a broker is answered from memory, by a state that each
// change replaces as a whole once it is durable; a change counts at once, for clients
// that are there too. Passwords are stored as argon2id hashes unless RabbitMQ's own are
// brought along or asked for; an unknown user and a wrong password take alike and are
// told apart by nobody; a permission that is not given is refused. Exchanges, queues and
// messages are package broker's; sockets are the node's.
//
// Differences from RabbitMQ 4: what stands for a variable of a topic permission is taken
// literally, not as a pattern; a password that is kept as argon2id is exported beside a
// hash that lets nobody in, since RabbitMQ could not check it; a definitions file is
// checked as a whole before it changes anything. Names and texts are UTF-8.
//
// BUG: policies may say dead-letter-strategy, max-in-memory-*, queue-*,
// ha-*, target-group-size and what only streams know, which has no effect here.
package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// Config tunes an Engine; the zero value is the default.
type Config struct {
	Logger *slog.Logger // default slog.Default
	Events Events       // default: nobody is told

	// Dialect reads the arguments of exchanges, queues and bindings; default: they have
	// none.
	Dialect Dialect
	// Declarer checks what definitions declare; default: they declare nothing.
	Declarer Declarer
	Build    string // Coffer's version, for definitions files

	LoginFrom LoginFrom // what of a certificate names its user

	// Lint looks at a text that others can read, "user name" or "vhost description", when
	// it is set; an error, of the kind [fault.Invalid], refuses it. Default: nobody looks.
	Lint func(what, text string) error

	// Components check the values of parameters that are for them, by their names. Errors
	// have the kind [fault.Invalid]. Parameters of other components are refused.
	Components map[string]func(Parameter) error
}

// Events are told what happens in the brokers. A nil function is not called.
type Events struct {
	// Changed is called once for each change that is durable, in the order of changes of a
	// broker. ctx is that of the caller who changed it. It must not block, nor change the
	// broker.
	Changed func(ctx context.Context, broker uuid.UUID, c Change)
}

// Engine makes, opens and deletes brokers.
type Engine struct {
	core   *broker.Core
	db     *control.DB
	hasher *Hasher
	log    *slog.Logger
	decoy  string // verified for unknown users, so that they take as long
	events Events

	components map[string]func(Parameter) error
	dialect    Dialect
	declarer   Declarer
	build      string
	login      LoginFrom
	lint       func(what, text string) error

	mu   sync.Mutex
	open map[uuid.UUID]*Broker
}

// New makes an engine over the queue core.
func New(core *broker.Core, db *control.DB, cfg Config) *Engine {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Dialect == nil {
		cfg.Dialect = mute{}
	}
	if cfg.Declarer == nil {
		cfg.Declarer = mute{}
	}
	return &Engine{
		core: core, db: db, hasher: NewHasher(), log: cfg.Logger, decoy: decoy(),
		events: cfg.Events, components: cfg.Components, dialect: cfg.Dialect,
		declarer: cfg.Declarer, build: cfg.Build, login: cfg.LoginFrom,
		lint: cfg.Lint,
		open: map[uuid.UUID]*Broker{},
	}
}

// Hasher hashes the passwords that Create is given.
func (e *Engine) Hasher() *Hasher { return e.hasher }

// User is a user of a new broker. Hash is made by [Hasher.Hash].
type User struct {
	Name string
	Hash string
	Tags []string // "administrator", …
}

// Create makes the rows of a broker in the unit of work of ctx: the virtual
// host "/", and each user as an administrator with every permission in it.
func (e *Engine) Create(ctx context.Context, id uuid.UUID, users []User) error {
	return e.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		if err := put(tx, e.row(id, rowBroker), struct{}{}); err != nil {
			return err
		}
		v := vhostRow{Name: "/", Namespace: uuid.New()}
		if err := e.core.CreateNamespace(ctx, broker.NamespaceID(v.Namespace)); err != nil {
			return fmt.Errorf("create vhost %q: %w", v.Name, err)
		}
		if err := put(tx, e.row(id, rowVhost, v.Name), v); err != nil {
			return err
		}
		for _, u := range users {
			row := userRow{Name: u.Name, Hash: u.Hash, Tags: u.Tags}
			if err := put(tx, e.row(id, rowUser, u.Name), row); err != nil {
				return err
			}
			p := permissionRow{u.Name, v.Name, ".*", ".*", ".*"}
			if err := put(tx, e.row(id, rowPermission, u.Name, v.Name), p); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete removes the rows of a broker and everything in its virtual hosts.
func (e *Engine) Delete(ctx context.Context, id uuid.UUID) error {
	return e.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		var ids [][]byte
		err := tx.Scan(control.TableRabbit, id[:], func(row, value []byte) error {
			ids = append(ids, row)
			if row[len(id)] != rowVhost {
				return nil
			}
			var v vhostRow
			if err := json.Unmarshal(value, &v); err != nil {
				return fmt.Errorf("vhost of broker %s: %w", id, err)
			}
			return e.core.DeleteNamespace(ctx, broker.NamespaceID(v.Namespace))
		})
		for _, row := range ids {
			tx.Delete(control.TableRabbit, row)
		}
		tx.After(func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.open, id)
		})
		return err
	})
}

// Open loads a broker and its virtual hosts, sealed in the domain. A Broker that was
// opened before changes nothing any more.
func (e *Engine) Open(ctx context.Context, id uuid.UUID, domain broker.Domain) (*Broker, error) {
	b := &Broker{
		engine: e, id: id, domain: domain,
		watch: map[*func()]struct{}{}, parameters: map[*func()]struct{}{},
	}
	e.replace(id, b)
	s, err := e.load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("open broker %s: %w", id, err)
	}
	for _, v := range s.vhosts {
		if v.ns, err = b.enter(ctx, v.row); err != nil {
			return nil, fmt.Errorf("open broker %s: vhost %q: %w", id, v.row.Name, err)
		}
	}
	s.fresh = nil
	b.state.Store(s)
	for name := range s.vhosts {
		// The last change of policies may have had no time for all that is in it.
		if err := b.reshape(ctx, name); err != nil {
			return nil, fmt.Errorf("open broker %s: %w", id, err)
		}
	}
	domain.Watch(b.changed)
	return b, nil
}

// load reads the rows of a broker. Those of earlier versions have no row of its own, and
// are given one.
func (e *Engine) load(ctx context.Context, id uuid.UUID) (*state, error) {
	s, rows, found := newState(), 0, false
	err := e.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableRabbit, id[:], func(row, value []byte) error {
			rows++
			found = found || row[len(id)] == rowBroker
			return s.read(row[len(id)], value)
		})
	})
	for name := range s.vhosts {
		s.rank(name)
	}
	switch {
	case err != nil:
		return nil, err
	case rows == 0:
		return nil, fault.New(fault.NotFound, "there is no such broker")
	case found:
		return s, nil
	}
	return s, e.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return put(tx, e.row(id, rowBroker), struct{}{})
	})
}

// replace notes the Broker that stands for a stored one, and retires the one before.
func (e *Engine) replace(id uuid.UUID, b *Broker) {
	e.mu.Lock()
	old := e.open[id]
	e.open[id] = b
	e.mu.Unlock()
	if old != nil {
		old.retire()
	}
}
