package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/fault"
	"coffer/internal/store"
)

// MaxCheckpoints bounds the checkpoints that exist at once: each holds the disk
// space of what was deleted since it was made.
const MaxCheckpoints = 2

const (
	asideName      = "checkpoints" // the folder of checkpoints in the data directory
	checkpointName = "CHECKPOINT"  // in a checkpoint: what it is
	halfSuffix     = ".tmp"        // of a checkpoint that is being made or removed
)

// CheckpointConfig says what a checkpoint carries beside the store.
type CheckpointConfig struct {
	ID      string    // 32 hexadecimal digits; empty = random
	Version string    // of the program; empty = "unknown"
	Now     time.Time // shown as the time of the cut
	// Extra are small files that lie beside IDENTITY, such as what tells a wrong
	// root key. Names are of capital letters.
	Extra map[string][]byte
}

// NewCheckpointID gives a random id.
func NewCheckpointID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// Checkpoint makes a copy of the store that stands still, in the data
// directory, while the engine serves. It holds one cut through the batches of
// all shards: every batch that was acknowledged before the call, and of later
// ones a beginning. Tables are shared with the store by hard links where the
// file system has them. The checkpoint was checked like a store that is opened.
//
// An error leaves the store as it was and ends nothing: a checkpoint is no part
// of the state. At MaxCheckpoints it has kind fault.Exhausted.
func (e *Engine) Checkpoint(cfg CheckpointConfig) (*Backup, error) {
	e.aside.Lock()
	defer e.aside.Unlock()
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("make checkpoint: %w", err)
	}
	if cfg.ID == "" {
		cfg.ID = NewCheckpointID()
	}
	have, err := e.checkpoints()
	if err != nil {
		return nil, err
	}
	if len(have) >= MaxCheckpoints {
		return nil, fault.New(fault.Exhausted, "%d backups are unfinished, at most %d may be: "+
			"finish one, or drop it (coffer backup --abort)", len(have), MaxCheckpoints)
	}
	half := e.path(asideName, cfg.ID+halfSuffix)
	b, err := e.cut(half, cfg)
	if err == nil {
		err = e.cfg.FS.Rename(half, e.path(asideName, cfg.ID))
	}
	if err == nil {
		err = syncDir(e.cfg.FS, e.path(asideName))
	}
	if err == nil {
		err = e.dead() // what was linked on a frozen disk is not there
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make checkpoint: %w", err),
			e.cfg.FS.RemoveAll(half))
	}
	return b, nil
}

// open tells whether the engine still serves.
func (e *Engine) open() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return store.ErrClosed
	}
	return e.dead()
}

// cut makes the content of a checkpoint in dir.
func (e *Engine) cut(dir string, cfg CheckpointConfig) (*Backup, error) {
	fsys := e.cfg.FS
	if err := makeDir(fsys, dir); err != nil {
		return nil, err
	}
	acknowledged := e.durable()
	if err := e.flusher.flush(); err != nil {
		e.fail(fmt.Errorf("flush: %w", err))
		return nil, e.dead()
	}
	data := fsys.PathJoin(dir, dataName)
	e.spoiled.Store(nil)
	err := e.db.Checkpoint(data)
	if spoiled := e.spoiled.Load(); spoiled != nil {
		err = *spoiled // the cause of what Pebble says, if anything
	}
	if err != nil {
		return nil, err
	}
	at, _, err := e.onDisk(data)
	if err != nil {
		return nil, unreadable(err, data)
	}
	for i, pos := range at {
		if pos.Less(acknowledged[i]) {
			return nil, fmt.Errorf("%s: shard %d ends at %v, but %v was acknowledged before",
				data, i, pos, acknowledged[i])
		}
	}
	// Left by the reading above; who opens the copy makes its own.
	if err := fsys.Remove(fsys.PathJoin(data, lockName)); err != nil &&
		!errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := &Backup{
		ID: cfg.ID, Version: cfg.Version, Created: cfg.Now.UTC(),
		Identity: e.identity, Positions: at,
	}
	if b.Version == "" || strings.ContainsFunc(b.Version, unicode.IsSpace) {
		b.Version = "unknown"
	}
	files := map[string][]byte{
		identityName: e.label.encode(), floorName: e.floorOf(at), checkpointName: b.encode(),
	}
	for name, text := range cfg.Extra {
		if files[name] != nil || !extraName.MatchString(name) {
			return nil, fmt.Errorf("file %q cannot lie in a checkpoint", name)
		}
		files[name] = text
	}
	for name, text := range files {
		if err := writeFile(fsys, fsys.PathJoin(dir, name), text); err != nil {
			return nil, err
		}
	}
	return b, errors.Join(syncDir(fsys, data), syncDir(fsys, dir))
}

// floorOf gives a floor file of a store that was stopped at these positions.
func (e *Engine) floorOf(at []store.Position) []byte {
	s := slot{version: floorVersion(e.label.format), seq: 1, flags: flagBorn, at: at}
	if s.version > 1 {
		s.flags |= flagClean
	}
	text := make([]byte, 2*floorSlot)
	copy(text, s.encode())
	return text
}

// Checkpoints lists the checkpoints of the data directory, the oldest first.
func (e *Engine) Checkpoints() ([]*Backup, error) {
	e.aside.Lock()
	defer e.aside.Unlock()
	return e.checkpoints()
}

func (e *Engine) checkpoints() ([]*Backup, error) {
	names, err := e.cfg.FS.List(e.path(asideName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var all []*Backup
	for _, name := range names {
		if strings.HasSuffix(name, halfSuffix) {
			continue
		}
		path := e.path(asideName, name, checkpointName)
		text, err := readFile(e.cfg.FS, path, maxManifest)
		if err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
		b, err := parseBackup(text)
		if err != nil || b.ID != name {
			return nil, damaged(path, errors.Join(err, errors.New("not of this checkpoint")))
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *Backup) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// DropCheckpoint removes a checkpoint; one that is not there is of kind
// fault.NotFound. Copies of it are not touched.
func (e *Engine) DropCheckpoint(id string) error {
	e.aside.Lock()
	defer e.aside.Unlock()
	dir := e.path(asideName, id)
	if _, err := e.cfg.FS.Stat(dir); !backupID.MatchString(id) || errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "backup %q does not exist", id)
	}
	err := e.cfg.FS.Rename(dir, dir+halfSuffix) // so that it is there as a whole or not
	if err == nil {
		err = e.cfg.FS.RemoveAll(dir + halfSuffix)
	}
	if err != nil {
		return fmt.Errorf("drop checkpoint %s: %w", id, err)
	}
	return nil
}

// CheckpointDir is where a checkpoint lies in a data directory of the store.
func CheckpointDir(dir, id string) string {
	return vfs.Default.PathJoin(dir, asideName, id)
}

// sweep removes checkpoints that a crash left half made or half removed.
func (e *Engine) sweep() error {
	names, err := e.cfg.FS.List(e.path(asideName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if err == nil && strings.HasSuffix(name, halfSuffix) {
			err = e.cfg.FS.RemoveAll(e.path(asideName, name))
		}
	}
	if err != nil {
		return fmt.Errorf("remove half checkpoints: %w", err)
	}
	return nil
}

// beside reports whether a file belongs to a checkpoint. What fails there fails
// the checkpoint, not the store.
func (e *Engine) beside(name string) bool {
	return strings.HasPrefix(name, e.path(asideName)+"/")
}

// Usage gives the bytes that the store takes, checkpoints left out, and those
// that are free on its file system; 0 where that does not tell.
func (e *Engine) Usage() (stored, free uint64) {
	if usage, err := e.cfg.FS.GetDiskUsage(e.cfg.Dir); err == nil {
		free = usage.AvailBytes
	}
	return e.db.Metrics().DiskSpaceUsage() + uint64(e.log.Stats().Bytes), free
}
