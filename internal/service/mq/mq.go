// Package mq is the control plane of Amazon MQ: it makes, shows, reboots and
// deletes brokers, each sealed under a KMS key.
//
// It guarantees that a broker uses its key like any customer would, through
// KMS, under grants that it names one by one; that a broker runs only while
// every one of its grants is live and its key is enabled; and that a deleted
// broker's data is unreadable at once, because its key is gone. The engines
// (virtual hosts, users, sockets) are behind an interface that node fills.
//
// A cluster's nodes run in one process; each has its own volume, and the broker key is
// wrapped under the data key of each.
//
// What UpdateBroker changes waits for the next reboot, as do configurations, of which a
// broker takes what Coffer has a setting for. Engine version and instance type are names
// that brokers carry: they choose nothing.
//
// Not built, and answered so: ActiveMQ, replication to other Regions, shared resources.
package mq

import (
	"context"

	"github.com/google/uuid"

	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/control"
)

// Principal is the service principal under which brokers use keys.
const Principal = "mq.amazonaws.com"

// KMS is how this service reaches KMS: like anyone, by calls that are
// authorized and recorded.
type KMS interface {
	As(w Who) kms.Service
	// EnsureOwned gives the ARN of the key that AWS owns for this service.
	EnsureOwned(ctx context.Context, region string) (arn string, err error)
	// EnsureManaged gives the ARN of alias/aws/mq of an account.
	EnsureManaged(ctx context.Context, account, region string) (arn string, err error)
}

// Who calls KMS: this service for the caller of the operation in the context,
// or a service principal as itself.
type Who struct {
	OnBehalf        bool
	Principal       string // "mq.amazonaws.com"
	Account, Region string // on whose trail a call as itself is
	Grant           string // the only grant that may allow; empty = any
	SourceARN       string // the broker that a call as itself is for
	// EventSource and UserAgent are what events show instead of KMS's usual.
	EventSource, UserAgent string
	// Unshown are request parameters that events leave out.
	Unshown []string
}

// Engine runs brokers. Create and Delete join the unit of work in ctx.
type Engine interface {
	// HashPassword prepares a password for Create.
	HashPassword(ctx context.Context, password []byte) (string, error)
	// Create makes the durable state of a broker.
	Create(ctx context.Context, id uuid.UUID, users []User) error
	// Delete removes it.
	Delete(ctx context.Context, id uuid.UUID) error
	// Start runs a broker that Create made, in the background. It is called once
	// its creation is durable, and at each start of the process.
	Start(b Running)
	// Stop ends a broker and its connections, in the background.
	Stop(id uuid.UUID)
	// Reboot stops a broker and starts it with other settings, in the background.
	Reboot(b Running)
	// Rest lets a broker that runs rest on the KMS key and the grants of b from now on;
	// its secret stays what it is. If it is without it, it asks KMS again.
	Rest(b Running)
	// State tells how a broker fares.
	State(id uuid.UUID) State
}

// User is a user of a new broker.
type User struct{ Name, Hash string }

// Running is a broker to run.
type Running struct {
	ID     uuid.UUID
	Key    string   // ARN of its KMS key
	Grants []string // ids of the grants that it rests on

	ARN, Account, Region string // of the broker

	Settings Settings // of its configuration
}

// State is how a broker fares now.
type State struct {
	Phase     Phase
	Reason    string   // of Locked: the text of KMS
	Endpoints []string // "amqps://localhost:5671"
	Console   string   // URL of the management API
	IPAddress string
}

// Phase is where a broker is in its life.
type Phase uint8

// The phases.
const (
	Starting Phase = iota
	Serving
	Locked // serving, but its key cannot be used
	Rebooting
	Failed // it could not be started; the log tells why
)

// Service implements the Amazon MQ API.
type Service struct {
	api.Unimplemented
	db     *control.DB
	kms    KMS
	engine Engine
}

var _ api.Service = (*Service)(nil)

// New makes the service; StartAll runs what exists.
func New(db *control.DB, kms KMS, engine Engine) *Service {
	return &Service{db: db, kms: kms, engine: engine}
}

// StartAll runs every broker that is stored.
func (s *Service) StartAll(ctx context.Context) error {
	return s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(control.TableMQ, nil, func(_, value []byte) error {
			b, err := decodeRow(value)
			if err != nil {
				return err
			}
			r, err := b.running(tx)
			if err == nil {
				s.engine.Start(r)
			}
			return err
		})
	})
}
