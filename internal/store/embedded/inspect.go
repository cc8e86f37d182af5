package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// An Inspection is the directory of a stopped store that is only read: nothing on
// the disk changes, whatever is found. It holds the directory, so that no process
// starts on it.
type Inspection struct {
	engine  *Engine // never started
	fs      vfs.FS  // of the operating system, or of a test
	damaged func(file string, err error)
	shards  bool // they can be read
	logs    bool // what they show includes the logs
}

// Inspect opens the store in cfg.Dir, calls damaged for what a start would refuse
// or has set aside, with the name of the file, and goes on as far as it can. Its
// errors are those of a directory that cannot be read at all: store.ErrInUse,
// [ErrNewer], one that is not there. damaged is called by one goroutine at a
// time.
func Inspect(cfg Config, damaged func(file string, err error)) (*Inspection, error) {
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	i := &Inspection{fs: cfg.FS, damaged: damaged}
	cfg.FS = readOnly{cfg.FS}
	i.engine = newEngine(cfg)
	if _, err := cfg.FS.Stat(cfg.Dir); err != nil {
		return nil, fmt.Errorf("inspect store: %w", err)
	}
	if err := i.hold(); err != nil {
		return nil, fmt.Errorf("inspect store: %w", err)
	}
	if err := i.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("inspect store: %w", err), i.Close())
	}
	return i, nil
}

// hold locks the directory, if a process ever used it and could.
func (i *Inspection) hold() error {
	e := i.engine
	if _, err := e.cfg.FS.Stat(e.path(lockName)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held, err := i.fs.Lock(e.path(lockName))
	switch {
	case err == nil:
		e.lock = &dirLock{held}
		return nil
	case errors.Is(err, syscall.EROFS):
		return nil
	case lockTaken(err):
		return fmt.Errorf("%w: %s; stop that process first", store.ErrInUse, e.cfg.Dir)
	}
	return fmt.Errorf("lock %s: %w", e.path(lockName), err)
}

// open goes through the steps of a start that change nothing.
func (i *Inspection) open() error {
	e := i.engine
	data := e.path(dataName)
	err := e.gate()
	if errors.Is(err, ErrNewer) {
		return err
	}
	if err == nil && !e.stored {
		err = fmt.Errorf("%w: %s is missing", store.ErrDamaged, e.path(identityName))
	}
	i.note(e.path(identityName), err)
	i.quarantined()
	if err != nil {
		return nil // the number of shards is not known
	}
	exists, err := dataExists(e.cfg.FS, data)
	i.note(data, err)
	e.floor = &floor{path: e.path(floorName)}
	text, err := readFile(e.cfg.FS, e.floor.path, 2*floorSlot+1)
	known := err == nil && e.floor.load(text, e.identity.Shards)
	if !known {
		if exists || err == nil {
			i.note(e.floor.path, fmt.Errorf("%w: the file is missing or garbled", store.ErrDamaged))
		}
		e.floor.at = make([]store.Position, e.identity.Shards)
	}
	if !exists {
		if e.floor.born() {
			i.note(data, fmt.Errorf("%w: the folder is missing or empty", store.ErrDamaged))
		}
		return nil
	}
	found, err := e.verify(data)
	if err == nil && known {
		if err = e.fits(found.at()); err == nil && e.floor.garbled {
			i.note(e.floor.path, fmt.Errorf("%w: one of two slots is garbled, "+
				"as a crash in its write leaves it; a start goes on", store.ErrDamaged))
		}
	}
	i.note(data, err)
	i.read(data, found)
	return nil
}

// read opens the shards, without the log where that cannot be used.
func (i *Inspection) read(data string, found *recovered) {
	e := i.engine
	opts := i.options()
	if i.logs = found != nil; !i.logs || !e.inPebblesLog() {
		opts.FS = withoutLogs{e.cfg.FS}
	}
	db, err := pebble.Open(data, opts)
	if err != nil {
		i.note(data, damage(err, data))
		return
	}
	e.db = db
	if e.checkFooters(db, data) != nil {
		return // told by verify; Pebble would read such a table out of its memory
	}
	if found == nil {
		found = &recovered{tables: make([]*table, e.identity.Shards)}
		for n := range found.tables {
			found.tables[n] = newTable(store.Position{})
		}
	} else if e.log, err = seglog.Inspect(e.logConfig(e.cfg.FS), found.end); err != nil {
		i.note(e.path(logName), err)
		return
	}
	present := e.flusher.add(found.from)
	for n, t := range found.tables {
		e.places = append(e.places, newPlace(e, store.ShardID(n), t, present))
	}
	i.shards = true
}

// options are those of a store that is only read: what is damaged is told by who
// reads it, and not set aside.
func (i *Inspection) options() *pebble.Options {
	opts := i.engine.options()
	opts.ReadOnly, opts.FS = true, i.engine.cfg.FS
	opts.EventListener = &pebble.EventListener{}
	opts.EventListener.EnsureDefaults(opts.Logger)
	return opts
}

// note tells of an error with the file that it names, or of file.
func (i *Inspection) note(file string, err error) {
	if err != nil {
		i.damaged(file, err)
	}
}

// Identity is what the identity file says; format 0 means that it cannot be
// read. upgrading is the format from which an upgrade was begun and not ended.
func (i *Inspection) Identity() (id Identity, format, upgrading int) {
	l := i.engine.label
	return l.Identity, l.format, l.upgrading
}

// Shards lists the shards that can be read, and whether what they show is all:
// without it the logs could not be used.
func (i *Inspection) Shards() (ids []store.ShardID, whole bool) {
	if i.shards {
		ids = i.engine.Shards()
	}
	return ids, i.logs
}

// Snapshot shows a shard as it is stored. Close it before the inspection.
func (i *Inspection) Snapshot(id store.ShardID) store.Snapshot {
	return (&owner{place: i.engine.places[id]}).Snapshot()
}

// Close gives the directory back.
func (i *Inspection) Close() error {
	e := i.engine
	var errs []error
	e.flusher.close()
	if e.log != nil {
		errs = append(errs, e.log.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	if e.lock != nil {
		errs = append(errs, e.lock.close())
	}
	return errors.Join(errs...)
}
