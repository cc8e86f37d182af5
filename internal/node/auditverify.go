package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/coffer"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// AuditConfig says whose audit trail to read.
type AuditConfig struct {
	Data    string // directory; ./coffer-data
	RootKey string // where the root key is, as of Config
	Secrets rootkey.Reader
	Heads   string // file of --audit-heads to compare with; empty = none
	// Accept are incarnations or backups whose history was left on purpose, by a
	// restore.
	Accept []string
}

// AuditReport is what VerifyAudit read and found.
type AuditReport struct {
	Data        string `json:"data"`
	Live        bool   `json:"live"` // a process serves the directory; a copy was read
	Cluster     string `json:"cluster"`
	Incarnation string `json:"incarnation"`
	HeadsFile   string `json:"headsFile,omitempty"`
	*audit.Proof
	Damage  []Damage `json:"damage"` // of the store
	Seconds float64  `json:"seconds"`
}

// Whole tells that nothing was found.
func (r *AuditReport) Whole() bool { return len(r.Damage) == 0 && r.Proof.Whole() }

// VerifyAudit shows that nothing of the audit trail was changed or removed, or says
// what was. Its error says why that could not be shown at all. Of a directory that a
// process serves it reads a copy, which that process makes.
func VerifyAudit(ctx context.Context, cfg AuditConfig) (*AuditReport, error) {
	begun := time.Now()
	r := &AuditReport{HeadsFile: cfg.Heads, Damage: []Damage{}}
	var heads io.Reader
	if cfg.Heads != "" { // before the store is read: what cannot be compared is no proof
		file, upToNow, err := openHeads(cfg.Heads)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf("--heads: %v", err))
		}
		defer file.Close()
		heads = upToNow
	}
	err := withTrail(ctx, cfg, func(t *trailSource) error {
		r.Data, r.Live = t.data, t.live
		r.Cluster, r.Incarnation = t.store.Cluster.String(), t.store.Incarnation.String()
		vc := audit.VerifyConfig{
			State: t.state, Shards: t.shards, Open: t.inspection.Snapshot, Store: t.store,
			Heads: heads, Now: time.Now(), Known: func(incarnation audit.ID, backup string) bool {
				return slices.Contains(cfg.Accept, incarnation.String()) ||
					backup != "" && slices.Contains(cfg.Accept, backup)
			},
		}
		var err error
		r.Proof, err = audit.Verify(ctx, vc)
		r.Damage = append(r.Damage, t.damage...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verify the audit trail: %w", err)
	}
	r.Seconds = time.Since(begun).Seconds()
	return r, nil
}

// openHeads opens a file of heads, of which upToNow reads what is there now: heads that a
// serving process adds later tell of events that a copy of the store made before has not.
func openHeads(name string) (file *os.File, upToNow io.Reader, err error) {
	if file, err = os.Open(name); err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	if !info.Mode().IsRegular() {
		return file, file, nil
	}
	return file, io.LimitReader(file, info.Size()), nil
}

// AuditKey gives the key that verifies the heads of a data directory's trail.
func AuditKey(ctx context.Context, cfg AuditConfig) (key string, err error) {
	err = withTrail(ctx, cfg, func(t *trailSource) error {
		key, err = audit.VerifierKey(t.state)
		return err
	})
	return key, err
}

// trailSource is a store that stands still, and is only read.
type trailSource struct {
	data       string
	live       bool
	inspection *embedded.Inspection
	state      *control.Inspection
	shards     []store.ShardID
	store      audit.StoreID
	damage     []Damage
}

// withTrail opens a stopped directory, or a copy that the process on it makes, for
// the time of fn.
func withTrail(ctx context.Context, cfg AuditConfig, fn func(*trailSource) error) (err error) {
	set(&cfg.Data, "./coffer-data")
	dir := filepath.Join(cfg.Data, dirStore)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Invalid, "%s holds no data of coffer", cfg.Data)
	}
	t := &trailSource{data: cfg.Data}
	client, err := dialAPI(ctx, cfg.Data)
	if err == nil {
		src := &online{client, api.Client{Caller: client}}
		defer func() { err = errors.Join(err, src.close()) }()
		id, cerr := src.create(ctx)
		if cerr != nil {
			return cerr
		}
		defer func() { err = errors.Join(err, src.drop(context.WithoutCancel(ctx), id, 0)) }()
		t.live, dir = true, embedded.CheckpointDir(dir, id)
	} else if fault.KindOf(err) != fault.Unavailable {
		return err
	}
	key, err := trailKey(ctx, cfg)
	if err != nil {
		return err
	}
	defer key.Wipe()
	return t.read(dir, key, fn)
}

func trailKey(ctx context.Context, cfg AuditConfig) (seal.Secret, error) {
	c := &Config{Data: cfg.Data, RootKey: cfg.RootKey, Secrets: cfg.Secrets,
		Logger: slog.New(slog.DiscardHandler)}
	if err := c.fill(); err != nil {
		return nil, err
	}
	return (&rootKeeper{cfg: c}).present(ctx)
}

// read opens the store in dir for fn.
func (t *trailSource) read(
	dir string, key seal.Secret, fn func(*trailSource) error,
) (err error) {
	i, err := embedded.Inspect(embedded.Config{Dir: dir}, func(file string, err error) {
		t.damage = append(t.damage, Damage{File: file, Problem: err.Error(),
			Advice: "`coffer check` tells what is damaged"})
	})
	if errors.Is(err, store.ErrInUse) {
		return fault.Wrap(fault.Conflict, err, "a process holds "+t.data+
			" and does not answer: wait until it serves, or stop it")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	whole := false
	t.inspection = i
	if t.shards, whole = i.Shards(); len(t.shards) == 0 || !whole {
		return fmt.Errorf("%w: %s cannot be read as a whole; `coffer check` tells why",
			store.ErrDamaged, t.data)
	}
	base := i.Snapshot(0)
	defer func() { err = errors.Join(err, base.Close()) }()
	if t.state, err = control.Inspect(base, key); err != nil {
		return err
	}
	defer t.state.Close()
	id, _, _ := i.Identity()
	t.store = audit.StoreID{
		Cluster: audit.ID(id.Cluster), Incarnation: audit.ID(id.Incarnation),
	}
	return fn(t)
}
