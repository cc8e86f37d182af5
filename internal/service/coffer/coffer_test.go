package coffer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
	"coffer/internal/store/memory"
)

const account = "111122223333"

// shelf keeps backups that are made at once.
type shelf struct {
	mu       sync.Mutex
	room     int
	reserved int
	copied   map[string]int64
	list     []Backup
}

var _ Backups = (*shelf)(nil)

func (s *shelf) Reserve() (Backup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room == 0 {
		return Backup{}, fault.New(fault.Exhausted, "no room")
	}
	s.room--
	s.reserved++
	id := strings.Repeat(string(rune('a'+s.reserved)), 32)
	return Backup{ID: id, State: api.BackupStateCreating}, nil
}

func (s *shelf) Cancel(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room++
}

func (s *shelf) Begin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, Backup{
		ID: id, State: api.BackupStateAvailable, Created: time.Unix(1, 0),
		Positions: []Position{{1, 2}, {3, 4}},
	})
}

func (s *shelf) List() ([]Backup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list), nil
}

func (s *shelf) Copied(ctx context.Context, b Backup, bytes int64) error {
	if control.From(ctx) == nil {
		return errors.New("in no unit of work")
	}
	s.copied = map[string]int64{b.ID: bytes}
	return nil
}

func (s *shelf) Drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(b Backup) bool { return b.ID == id })
}

// Describe is [Describer]'s.
func (s *shelf) Describe() (*State, error) {
	return &State{
		Cluster: "c", Node: "n", Incarnation: "i", Version: "v1", StartNumber: 7,
		Positions: []Position{{1, 2}}, StoredBytes: 3, FreeBytes: 4,
		RestoredFrom: &Restoration{Backup: "b", FormerIncarnation: "f"},
	}, nil
}

// world is a gateway with the service alone.
type world struct {
	gateway *gateway.Gateway
	shelf   *shelf
	fleet   fleet
	ledger  ledger

	mu     sync.Mutex
	events []*audit.Event
}

func newWorld(t *testing.T, room int) *world {
	t.Helper()
	engine := memory.New(memory.Config{Shards: 2})
	zero, err := engine.Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := engine.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	db, err := control.Open(t.Context(), zero, bytes.Repeat([]byte{7}, 32), control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.Context(), db, last, 1, audit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	w := &world{shelf: &shelf{room: room}}
	own := New(w.shelf, w.shelf, &w.fleet, rekeyed{}, nil, nil, log, &w.ledger, account)
	w.gateway, err = gateway.New(db, log, nobody{}, []gateway.Service{
		{API: &api.API, Impl: own, Access: own},
	}, gateway.Config{Events: gateway.Events{Recorded: func(e *audit.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) client(p policy.Principal, policies ...policy.Policy) api.Client {
	return api.Client{Caller: &gateway.Caller{
		Gateway: w.gateway, Service: "test", Account: account, Region: "us-east-1",
		Identity: &gateway.Identity{Principal: p, Policies: policies},
	}}
}

// nobody has an access key.
type nobody struct{}

func (nobody) Identity(context.Context, string, string) (*gateway.Identity, error) {
	return nil, errors.New("nobody")
}

// TestBackup begins, shows and ends a backup.
func TestBackup(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t, 1)
	c := w.client(policy.RootPrincipal(account))
	made, err := c.CreateBackup(ctx, &api.CreateBackupInput{})
	if err != nil || made.Backup.State != api.BackupStateCreating {
		t.Fatalf("%+v, %v", made, err)
	}
	id := made.Backup.BackupId
	_, err = c.CreateBackup(ctx, &api.CreateBackupInput{})
	if !is[*api.LimitExceededException](err) {
		t.Errorf("one more: %v", err)
	}
	got, err := c.DescribeBackup(ctx, &api.DescribeBackupInput{BackupId: id})
	if err != nil || got.Backup.State != api.BackupStateAvailable ||
		len(got.Backup.Positions) != 2 || *got.Backup.Positions[1].Epoch != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	list, err := c.ListBackups(ctx, &api.ListBackupsInput{})
	if err != nil || len(list.Backups) != 1 || list.Backups[0].BackupId != id {
		t.Errorf("%+v, %v", list, err)
	}
	in := &api.DeleteBackupInput{BackupId: id, CopiedBytes: new(int64(9))}
	if _, err := c.DeleteBackup(ctx, in); err != nil || w.shelf.copied[id] != 9 {
		t.Error(err, w.shelf.copied)
	}
	_, err = c.DeleteBackup(ctx, &api.DeleteBackupInput{BackupId: id})
	if !is[*api.BackupNotFoundException](err) {
		t.Errorf("deleted twice: %v", err)
	}
	names := ""
	for _, e := range w.events {
		names += " " + e.EventName + e.ErrorCode
		if e.EventSource != "coffer.internal" {
			t.Errorf("%s is of %s", e.EventName, e.EventSource)
		}
	}
	if names != " CreateBackup CreateBackupLimitExceededException DescribeBackup ListBackups"+
		" DeleteBackup DeleteBackupBackupNotFoundException" {
		t.Errorf("recorded%s", names)
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestBeingMade: what is being made cannot be deleted.
func TestBeingMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	id := strings.Repeat("a", 32)
	w.shelf.list = []Backup{{ID: id, State: api.BackupStateCreating}}
	_, err := w.client(policy.RootPrincipal(account)).
		DeleteBackup(t.Context(), &api.DeleteBackupInput{BackupId: id})
	if !is[*api.BackupInUseException](err) {
		t.Error(err)
	}
}

// TestDenied: who has no permission makes no backup, and that is on record.
func TestDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	user := policy.Principal{
		Kind: policy.User, Account: account,
		ARN: "arn:aws:iam::" + account + ":user/u", UserID: "U",
	}
	_, err := w.client(user).CreateBackup(t.Context(), &api.CreateBackupInput{})
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "coffer:CreateBackup") {
		t.Error(err)
	}
	if len(w.shelf.list) != 0 || w.shelf.reserved != 0 {
		t.Error("a backup was made")
	}
	if len(w.events) != 1 || w.events[0].ErrorCode != "AccessDeniedException" {
		t.Errorf("recorded %+v", w.events)
	}
}

// TestDescribeStore tells which store it is.
func TestDescribeStore(t *testing.T) {
	t.Parallel()
	out, err := newWorld(t, 0).client(policy.RootPrincipal(account)).
		DescribeStore(t.Context(), &api.DescribeStoreInput{})
	if err != nil {
		t.Fatal(err)
	}
	s := out.Store
	if s.Cluster != "c" || s.Node != "n" || s.Incarnation != "i" || *s.StartNumber != 7 ||
		*s.StoredBytes != 3 || *s.FreeBytes != 4 || s.RestoredFrom.FormerIncarnation != "f" ||
		*s.Positions[0].Index != 2 || len(s.Brokers) != 1 || s.Brokers[0].BrokerId != "b-1" ||
		*s.Brokers[0].Shard != 1 || *s.Brokers[0].Moving {
		t.Errorf("%+v", s)
	}
}
