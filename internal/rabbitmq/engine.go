// Package rabbitmq is the RabbitMQ engine: the virtual hosts, users and
// permissions of each broker, kept in shard 0. It satisfies what
// protocol/amqp091 and service/mq need of an engine.
//
// Guarantees: passwords are stored as argon2id hashes only; an unknown user and
// a wrong password take alike and are told apart by nobody; a permission that
// is not given is refused. Exchanges, queues and messages are package broker's;
// sockets are the node's.
package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// Config tunes an Engine; the zero value is the default.
type Config struct {
	Logger *slog.Logger // default slog.Default
}

// Engine makes, opens and deletes brokers.
type Engine struct {
	core   *broker.Core
	db     *control.DB
	hasher *Hasher
	log    *slog.Logger
	decoy  string // verified for unknown users, so that they take as long
}

// New makes an engine over the queue core.
func New(core *broker.Core, db *control.DB, cfg Config) *Engine {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Engine{
		core: core, db: db, hasher: NewHasher(), log: cfg.Logger, decoy: decoy(),
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

// The rows of one broker in control.TableRabbit. Their ids are the broker's
// UUID, a letter, and the digest of the name.
const (
	rowVhost      = 'v'
	rowUser       = 'u'
	rowPermission = 'p'
)

type vhostRow struct {
	Name      string    `json:"name"`
	Namespace uuid.UUID `json:"namespace"`
}

type userRow struct {
	Name string   `json:"name"`
	Hash string   `json:"hash"`
	Tags []string `json:"tags"`
}

type permissionRow struct {
	User      string `json:"user"`
	Vhost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// Create makes the rows of a broker in the unit of work of ctx: the virtual
// host "/", and each user as an administrator with every permission in it.
func (e *Engine) Create(ctx context.Context, id uuid.UUID, users []User) error {
	return e.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
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
		return err
	})
}

// Open loads a broker and its virtual hosts, sealed in the domain.
func (e *Engine) Open(ctx context.Context, id uuid.UUID, domain broker.Domain) (*Broker, error) {
	b := &Broker{
		engine: e, id: id, users: map[string]*user{}, vhosts: map[string]*broker.Namespace{},
		watch: map[*func()]struct{}{},
	}
	if err := e.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableRabbit, id[:], func(row, value []byte) error {
			return b.load(row[len(id)], value, domain)
		})
	}); err != nil {
		return nil, fmt.Errorf("open broker %s: %w", id, err)
	}
	if len(b.vhosts) == 0 {
		return nil, fault.New(fault.NotFound, "broker %s has no virtual host", id)
	}
	domain.Watch(b.changed)
	return b, nil
}

func (e *Engine) row(id uuid.UUID, kind byte, names ...string) []byte {
	mac := e.db.MAC("rabbitmq/"+string(kind), append([]string{id.String()}, names...)...)
	return append(append(id[:], kind), mac...)
}

func put(tx *control.Tx, id []byte, row any) error {
	v, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("encode row: %w", err)
	}
	tx.Put(control.TableRabbit, id, v)
	return nil
}
