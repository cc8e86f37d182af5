package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// Names in the data directory.
const (
	lockName     = "LOCK"
	identityName = "IDENTITY"
	floorName    = "FLOOR"
	dataName     = "data" // the folder that is Pebble's
	logName      = "log"  // the folder of the log
)

// start brings the engine up, in an order in which a crash at any step of the
// first start leaves what the next start completes: identity, floor, data.
func (e *Engine) start() error {
	if err := e.acquire(); err != nil {
		return err
	}
	e.sizeLog()
	if err := e.gate(); err != nil {
		return err
	}
	data := e.path(dataName)
	exists, err := dataExists(e.cfg.FS, data)
	if err != nil {
		return err
	}
	known := exists
	if _, err := e.cfg.FS.Stat(e.path(floorName)); err == nil {
		known = true
	}
	if err := e.identify(known); err != nil {
		return err
	}
	floor, err := openFloor(e.guard, e.path(floorName), floorVersion(Format),
		e.identity.Shards, exists)
	if err != nil {
		return err
	}
	e.floor = floor
	if floor.born() && !exists {
		return fmt.Errorf("%w: %s is missing or empty; restore it or start with another directory",
			store.ErrDamaged, data)
	}
	found := &recovered{disk: make([]store.Position, e.identity.Shards), from: 1, last: data}
	if exists {
		found, err = e.verify(data)
	} else {
		err = e.replay(found)
	}
	if err != nil {
		return err
	}
	if err := e.fits(found.at()); err != nil {
		return err
	}
	if err := e.beginUpgrade(); err != nil {
		return err
	}
	e.settled.Store(true)
	if exists && e.inPebblesLog() {
		if err := e.takePebblesLog(data); err != nil {
			return err
		}
	}
	if e.db, err = pebble.Open(data, e.options()); err != nil {
		return damage(err, data)
	}
	return e.settleIn(found)
}

// settleIn compares what Pebble found with what the check found, goes on with the log,
// and begins to keep the floor.
func (e *Engine) settleIn(found *recovered) error {
	disk, from, err := standing(e.db, e.identity.Shards)
	if err != nil {
		return damage(err, e.path(dataName))
	}
	if !slices.Equal(disk, found.disk) || from != found.from {
		return fmt.Errorf("%w: %s: the tables opened at %v, log %d, they were at %v, log %d",
			store.ErrDamaged, e.path(dataName), disk, from, found.disk, found.from)
	}
	if err := e.goOn(found); err != nil {
		return err
	}
	if err := e.upgrade(found.at()); err != nil {
		return err
	}
	if err := e.floor.begin(floorVersion(Format), found.at()); err != nil {
		return err
	}
	if err := e.quarantine.recall(); err != nil {
		return err
	}
	e.floor.run(e.durable, e.fail)
	e.flusher.run()
	return e.sweep()
}

// goOn opens the log behind what was found in it, and the shards as they were found.
func (e *Engine) goOn(found *recovered) (err error) {
	incoming := e.path(incomingName)
	if err := e.guard.RemoveAll(incoming); err != nil {
		return fmt.Errorf("remove %s: %w", incoming, err)
	}
	if err := makeDir(e.guard, incoming); err != nil {
		return fmt.Errorf("make %s: %w", incoming, err)
	}
	if e.log, err = seglog.Open(e.logConfig(e.guard), found.end); err != nil {
		return err
	}
	present := e.flusher.add(found.from)
	e.flusher.from.Store(found.from)
	e.flusher.long.Store(found.end.Segment() >= found.from+segments)
	for i, t := range found.tables {
		e.places = append(e.places, newPlace(e, store.ShardID(i), t, present))
		e.flusher.rows.Add(int64(t.count()))
	}
	e.flusher.logged.Add(found.logged)
	e.flusher.poke()
	return nil
}

// durable gives the last durable position of every shard.
func (e *Engine) durable() []store.Position {
	all := make([]store.Position, len(e.places))
	for i, p := range e.places {
		all[i] = *p.durable.Load()
	}
	return all
}

func (e *Engine) path(names ...string) string {
	return e.cfg.FS.PathJoin(append([]string{e.cfg.Dir}, names...)...)
}

// dirLock keeps other processes out of the directory.
type dirLock struct{ held io.Closer }

func (l *dirLock) close() error { return l.held.Close() }

// acquire makes the directory, durably, and locks it.
func (e *Engine) acquire() error {
	if err := makeDir(e.cfg.FS, e.cfg.Dir); err != nil {
		return fmt.Errorf("make directory %s: %w", e.cfg.Dir, err)
	}
	held, err := e.cfg.FS.Lock(e.path(lockName))
	switch {
	case err == nil:
		e.lock = &dirLock{held}
		return nil
	case lockTaken(err):
		return fmt.Errorf("%w: %s; stop that process or choose another directory",
			store.ErrInUse, e.cfg.Dir)
	default:
		return fmt.Errorf("lock %s: %w", e.path(lockName), err)
	}
}

// lockTaken tells a lock that is held, by another process (an errno) or by this
// one (an error without one), from a file that could not be made.
func lockTaken(err error) bool {
	var path *fs.PathError
	if errors.As(err, &path) {
		return false
	}
	var no syscall.Errno
	return !errors.As(err, &no) || no == syscall.EAGAIN || no == syscall.EACCES
}

// makeDir makes dir and its missing parents and syncs the parents.
func makeDir(fsys vfs.FS, dir string) error {
	var parents []string
	for d := dir; ; d = fsys.PathDir(d) {
		if _, err := fsys.Stat(d); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		parent := fsys.PathDir(d)
		if parent == d {
			break
		}
		parents = append(parents, parent)
	}
	if len(parents) == 0 {
		return nil
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := syncDir(fsys, parent); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// dataExists reports whether Pebble's folder holds a store.
func dataExists(fsys vfs.FS, dir string) (bool, error) {
	if _, err := fsys.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	desc, err := pebble.Peek(dir, fsys)
	if err != nil {
		return false, damage(err, dir)
	}
	return desc.Exists, nil
}
