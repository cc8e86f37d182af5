package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/fault"
	"coffer/internal/service/coffer"
	"coffer/internal/store/embedded"
)

const (
	keepBackups  = 24 * time.Hour // that nobody dropped
	keepShort    = time.Hour      // when the disk is short of room
	sweepBackups = 10 * time.Minute
)

// The states of a backup, as the API names them.
const (
	backupCreating  = "CREATING"
	backupAvailable = "AVAILABLE"
	backupFailed    = "FAILED"
	backupDeleting  = "DELETING"
)

// backups makes checkpoints of the store and drops them after a day. Those that
// are there are the engine's to know; this knows what is under way.
type backups struct {
	engine  *embedded.Engine
	log     *slog.Logger
	version string
	extra   func() (map[string][]byte, error)
	now     func() time.Time
	turn    *sync.Mutex // held while a checkpoint is made; see Node.rootTurn

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	last  atomic.Pointer[copiedBackup] // nil: none ever
	there atomic.Int64                 // backups, as last listed

	mu     sync.Mutex
	active map[string]*coffer.Backup // being made, failed, or being dropped
}

var _ coffer.Backups = (*backups)(nil)

// openBackups begins to keep the checkpoints of the store.
func (n *Node) openBackups(ctx context.Context) error {
	b := &backups{
		engine: n.engine, log: n.log, version: n.cfg.Version, extra: n.besideStore,
		now: time.Now, turn: &n.rootTurn, active: map[string]*coffer.Backup{},
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	n.backups = b
	if err := b.loadCopied(ctx, n.db); err != nil {
		return err
	}
	n.onStop(b.stop)
	b.work.Go(b.sweep)
	return nil
}

// stop waits for what is under way.
func (b *backups) stop(context.Context) error {
	b.cancel()
	b.work.Wait()
	return nil
}

// sweep drops what nobody finished.
func (b *backups) sweep() {
	tick := time.NewTicker(sweepBackups)
	defer tick.Stop()
	for {
		if list, err := b.List(); err != nil {
			b.log.Error("list backups", "error", err)
		} else {
			b.expire(list)
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			return
		}
	}
}

func (b *backups) expire(list []coffer.Backup) {
	keep := keepBackups
	if b.engine.Room() != nil {
		keep = keepShort
	}
	for _, old := range list {
		if b.now().After(old.Created.Add(keep)) {
			b.log.Warn("a backup that nobody finished is dropped", "backup", old.ID,
				"created", old.Created)
			b.Drop(old.ID)
		}
	}
}

// Reserve is [coffer.Backups]'s.
func (b *backups) Reserve() (coffer.Backup, error) {
	list, err := b.List()
	if err != nil {
		return coffer.Backup{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list = slices.DeleteFunc(list, func(x coffer.Backup) bool { return x.State == backupFailed })
	if len(list) >= embedded.MaxCheckpoints {
		return coffer.Backup{}, fault.New(fault.Exhausted, "%d backups are unfinished, "+
			"at most %d may be: finish one, or delete it (coffer backup --abort)",
			len(list), embedded.MaxCheckpoints)
	}
	now := b.now().UTC()
	made := coffer.Backup{
		ID: embedded.NewCheckpointID(), State: backupCreating,
		Created: now, Expires: now.Add(keepBackups),
	}
	b.active[made.ID] = &made
	return made, nil
}

// Cancel is [coffer.Backups]'s.
func (b *backups) Cancel(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.active, id)
}

// Begin is [coffer.Backups]'s.
func (b *backups) Begin(id string) {
	if b.ctx.Err() != nil {
		b.Cancel(id)
		return
	}
	b.work.Go(func() {
		begin := b.now()
		err := b.make(id)
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil {
			b.log.Error("backup failed", "backup", id, "error", err)
			b.active[id].State, b.active[id].Reason = backupFailed, told(err)
			return
		}
		delete(b.active, id)
		b.log.Info("backup is ready to be copied", "backup", id, "took", b.now().Sub(begin))
	})
}

func (b *backups) make(id string) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	extra, err := b.extra()
	if err != nil {
		return err
	}
	_, err = b.engine.Checkpoint(embedded.CheckpointConfig{
		ID: id, Version: b.version, Now: b.now(), Extra: extra,
	})
	return err
}

// told is what may be told of a failure.
func told(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return "internal failure; the log of the process says more"
}

// List is [coffer.Backups]'s.
func (b *backups) List() ([]coffer.Backup, error) {
	there, err := b.engine.Checkpoints()
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []coffer.Backup
	seen := map[string]bool{}
	for _, c := range there {
		x := coffer.Backup{
			ID: c.ID, State: backupAvailable, Created: c.Created,
			Expires: c.Created.Add(keepBackups), Positions: positions(c.Positions),
		}
		if a := b.active[c.ID]; a != nil && a.State == backupDeleting {
			x.State = backupDeleting
		}
		seen[c.ID] = true
		list = append(list, x)
	}
	for id, a := range b.active {
		if !seen[id] {
			list = append(list, *a)
		}
	}
	b.there.Store(int64(len(list)))
	slices.SortFunc(list, func(x, y coffer.Backup) int { return x.Created.Compare(y.Created) })
	return list, nil
}

// Drop is [coffer.Backups]'s.
func (b *backups) Drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch a := b.active[id]; {
	case b.ctx.Err() != nil:
		return // the next start, or the next call, drops it
	case a != nil && a.State == backupFailed:
		delete(b.active, id)
		return
	case a != nil:
		return
	}
	b.active[id] = &coffer.Backup{ID: id, State: backupDeleting}
	b.work.Go(func() {
		defer b.Cancel(id)
		if err := b.engine.DropCheckpoint(id); err != nil && fault.KindOf(err) != fault.NotFound {
			b.log.Error("drop backup", "backup", id, "error", err)
		}
	})
}
