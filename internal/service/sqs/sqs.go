// Package sqs is Amazon SQS: queues whose messages are leased to who receives them.
// DESIGN.md beside this file tells where things are and why.
//
// It guarantees that a message whose send was answered is on disk, sealed, and comes
// back until its deletion was answered; that a receive, its visibility timeout and its
// count are on disk before the message leaves; and that nobody sends, receives or
// deletes without a decision of this moment. Stored names, attributes, bodies and
// message attributes show nothing.
//
// A standard queue keeps the order of sends but for what is delayed or comes back.
// AWS promises less, and consumers must not rest on more.
//
// BUG: A message that a task moved keeps its id, and counts the receives of its queue only.
//
// Source: SQS API reference and developer guide.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/keyring"
	"coffer/internal/seal"
)

// Principal is the service principal under which queues use keys.
const Principal = "sqs.amazonaws.com"

// MaxBody is the bytes of a request that the gateway has to take: a batch of the longest
// messages, whose characters JSON or a form may spell in six bytes each, and a rest.
const MaxBody = 6*maxPayload + 1<<20

// KMS is how this service reaches KMS: like anyone, by calls that are authorized and
// recorded.
type KMS interface {
	As(w Who) kms.Service
	// EnsureOwned gives the ARN of the key that AWS owns for this service.
	EnsureOwned(ctx context.Context, region string) (arn string, err error)
	// EnsureManaged gives the ARN of alias/aws/sqs of an account.
	EnsureManaged(ctx context.Context, account, region string) (arn string, err error)
	// Permitted decides a call on behalf of the caller and leaves no trace of that.
	Permitted(ctx context.Context, operation string, in any) error
	// Usable gives why nobody can use a key, from its state alone; nil when somebody can.
	Usable(ctx context.Context, arn string) error
}

// Who calls KMS: this service as itself, or for the caller of the operation in the
// context.
type Who struct {
	OnBehalf        bool
	Account, Region string // on whose trail a call as itself is
	SourceARN       string // the queue that a call as itself is for
}

// Config tunes a Service; the zero value is the default.
type Config struct {
	Logger *slog.Logger     // default slog.Default
	Now    func() time.Time // default time.Now
	// ExplainDenials tells callers of other accounts, whom KMS refuses, why, and what has
	// to be done about it. AWS does not.
	ExplainDenials bool
}

// Service implements the SQS API. It is safe for concurrent use.
type Service struct {
	db   *control.DB
	core *broker.Core
	ring *keyring.Keyring
	kms  KMS
	log  *slog.Logger
	now  func() time.Time

	explain bool

	mu     sync.RWMutex
	queues map[address]*queue
	byID   map[uuid.UUID]*queue
	// sources are the queues whose dead letters go to another, by that.
	sources map[address]map[address]struct{}
	movers  map[uuid.UUID]*mover // by task
	realms  map[realmName]*realm
	keys    map[seal.DomainID]*dataKey

	permits permits

	closing sync.WaitGroup // of queues that were deleted

	waits    context.Context // of receives that wait for messages; ends with EndWaits
	endWaits context.CancelFunc
}

var (
	_ api.Service      = (*Service)(nil)
	_ gateway.Access   = (*Service)(nil)
	_ gateway.Finisher = (*Service)(nil)
	_ keyring.Source   = (*Service)(nil)
)

// New makes the service; Start opens what exists.
func New(
	db *control.DB, core *broker.Core, ring *keyring.Keyring, keys KMS, cfg Config,
) *Service {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{
		db: db, core: core, ring: ring, kms: keys, log: cfg.Logger, now: cfg.Now,
		explain: cfg.ExplainDenials,
		queues:  map[address]*queue{}, byID: map[uuid.UUID]*queue{},
		sources: map[address]map[address]struct{}{}, movers: map[uuid.UUID]*mover{},
		realms: map[realmName]*realm{}, keys: map[seal.DomainID]*dataKey{},
	}
	s.waits, s.endWaits = context.WithCancel(context.Background())
	return s
}

// EndWaits lets no receive wait for messages any more: the process is about to stop, and
// who polls is told that there is nothing.
func (s *Service) EndWaits() { s.endWaits() }

// Start opens every queue that is stored. A key that cannot be had keeps no queue from
// being there.
func (s *Service) Start(ctx context.Context) error {
	err := s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		if err := scanKeys(tx, s.keep); err != nil {
			return err
		}
		return scanRows(tx, s.set)
	})
	if err != nil {
		return fmt.Errorf("load queues: %w", err)
	}
	for _, q := range s.queues { // nobody else is here yet
		if _, err := s.find(ctx, q, q.row.Load()); err != nil {
			return err
		}
	}
	for _, q := range s.queues { // rules name other queues
		p, err := s.open(q)
		if err == nil && q.row.Load().Purging {
			err = s.purge(ctx, q, p)
		}
		if err != nil {
			return fmt.Errorf("open queue %s: %w", q.id, err)
		}
	}
	return nil
}

// Close ends what waits at queues; the core can be closed then. Nobody calls the service
// any more.
func (s *Service) Close(ctx context.Context) error {
	s.endWaits()
	s.closing.Wait()
	var errs []error
	for _, q := range s.queues {
		if p := q.place.Load(); p != nil {
			errs = append(errs, p.close(ctx))
		}
	}
	return errors.Join(errs...)
}
