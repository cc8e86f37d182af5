// Package coffer is Coffer's own API service: what AWS has no operation for. It
// speaks JSON 1.1, is signed with the name "coffer", authorized by actions
// "coffer:…" on the resource "*", and recorded with the event source
// "coffer.internal". Its model is internal/tools/awsgen/models/coffer.json.
//
// It tells what the store is, and lets a backup begin and end. A backup is a copy
// of the store in the data directory, which stands still; whoever runs on the
// machine carries it away. The service decides nothing about it: that is the
// store's. It moves brokers from one queue shard to another; that is the queue
// core's. It lets brokers rest on another KMS key; that is Amazon MQ's. It suspends
// and resumes grants, tells what uses a key, and shows the keys that AWS owns; those
// operations are authorized as the KMS's own are.
package coffer

import (
	"context"
	"time"

	api "coffer/internal/aws/api/coffer"
)

// Position is where a shard of the store stands.
type Position struct{ Epoch, Index uint64 }

// Backup is a copy of the store.
type Backup struct {
	ID        string    // 32 hexadecimal digits
	State     string    // one of the api's BackupState…
	Created   time.Time // when it was asked for; when it is there, its cut
	Expires   time.Time // when it will be dropped
	Reason    string    // why it failed
	Positions []Position
}

// Backups makes copies of the store.
type Backups interface {
	// Reserve gives a new backup that Begin will make, or Cancel will not. At
	// the bound it is an error of kind fault.Exhausted.
	Reserve() (Backup, error)
	Cancel(id string)
	// Begin begins to make the backup and does not wait for it.
	Begin(id string)
	// List gives all backups, the oldest first.
	List() ([]Backup, error)
	// Copied notes, in the unit of work of ctx, that a backup was carried away whole.
	Copied(ctx context.Context, b Backup, bytes int64) error
	// Drop begins to remove a backup that is not being made.
	Drop(id string)
}

// State is what the store is.
type State struct {
	Cluster, Node, Incarnation string // 32 hexadecimal digits each
	Version                    string // of the program
	StartNumber                uint32
	Positions                  []Position // the last durable ones, by shard
	StoredBytes, FreeBytes     uint64
	RestoredFrom               *Restoration // nil = never was
}

// Restoration says which backup a store was made of.
type Restoration struct {
	Backup            string
	Created, Restored time.Time
	FormerIncarnation string
}

// Describer knows the store.
type Describer interface {
	Describe() (*State, error)
}

// Service implements the Coffer API. It is safe for concurrent use.
type Service struct {
	api.Unimplemented
	store   Describer
	backups Backups
	brokers Brokers
	queues  Queues
	keys    Keys
	users   KeyUsers

	trail    Trail
	accounts Accounts
	operator string
}

var _ api.Service = (*Service)(nil)

// New makes the service. operator is the account whose root user runs the process.
func New(
	store Describer, backups Backups, brokers Brokers, queues Queues, keys Keys, users KeyUsers,
	trail Trail, accounts Accounts, operator string,
) *Service {
	return &Service{store: store, backups: backups, brokers: brokers, queues: queues, keys: keys,
		users: users, trail: trail, accounts: accounts, operator: operator}
}

// DescribeStore tells which store this is, and how it stands.
func (s *Service) DescribeStore(context.Context, *api.DescribeStoreInput) (
	*api.DescribeStoreOutput, error,
) {
	st, err := s.store.Describe()
	if err != nil {
		return nil, err
	}
	where, err := s.brokers.Places()
	if err != nil {
		return nil, err
	}
	out := &api.Store{
		Cluster: st.Cluster, Node: st.Node, Incarnation: st.Incarnation, Version: st.Version,
		StartNumber: new(int64(st.StartNumber)), Positions: positions(st.Positions),
		StoredBytes: new(int64(st.StoredBytes)), FreeBytes: new(int64(st.FreeBytes)),
		Brokers: places(where),
	}
	if r := st.RestoredFrom; r != nil {
		out.RestoredFrom = &api.Restoration{
			BackupId: r.Backup, BackupCreatedAt: r.Created, RestoredAt: r.Restored,
			FormerIncarnation: r.FormerIncarnation,
		}
	}
	return &api.DescribeStoreOutput{Store: out}, nil
}

func positions(list []Position) []api.Position {
	var out []api.Position
	for i, p := range list {
		out = append(out, api.Position{
			Shard: new(int32(i)), Epoch: new(int64(p.Epoch)), Index: new(int64(p.Index)),
		})
	}
	return out
}
