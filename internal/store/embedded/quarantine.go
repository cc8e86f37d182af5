package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// quarantineName is the folder of damaged files that were met.
const quarantineName = "quarantine"

// Pauses of compaction after one that met damage. Pebble would try again at
// once and for ever.
const (
	pauseFirst = time.Second
	pauseMost  = 5 * time.Minute
)

// A quarantine keeps a second name, or a copy, of each damaged file, so that it outlives
// the store's use of it: what was readable in it may be wanted after it was compacted
// away, deleted with its queue, or replaced. Nothing in it is ever removed by the
// program.
type quarantine struct {
	engine *Engine

	mu     sync.Mutex
	files  map[string]bool // by name in the folder
	failed int             // compactions that met damage
	until  time.Time       // no compaction begins before
}

// Damaged gives the names of the files that were set aside, in this run or
// before.
func (e *Engine) Damaged() []string {
	e.quarantine.mu.Lock()
	defer e.quarantine.mu.Unlock()
	var names []string
	for name := range e.quarantine.files {
		names = append(names, e.path(quarantineName, name))
	}
	slices.Sort(names)
	return names
}

// recall lists what earlier runs set aside, and says so.
func (q *quarantine) recall() error {
	names, err := listQuarantine(q.engine)
	if err != nil {
		return err
	}
	for _, name := range names {
		q.files[name] = true
		q.engine.cfg.Logger.Warn("a damaged file was set aside in an earlier run; check the "+
			"directory with `coffer check`, restore what is lost from a backup, then remove it",
			"file", q.engine.path(quarantineName, name))
	}
	return nil
}

func listQuarantine(e *Engine) ([]string, error) {
	dir := e.path(quarantineName)
	names, err := e.cfg.FS.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return names, nil
}

// keep sets a damaged file aside, once. An error leaves it where it is: that the
// store serves what is whole matters more.
func (q *quarantine) keep(
	path string, cause error, save func(fs vfs.FS, path, name string) error,
) {
	e := q.engine
	name := e.cfg.FS.PathBase(path)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.files[name] {
		return
	}
	q.files[name] = true
	kept := e.path(quarantineName, name)
	err := makeDir(e.cfg.FS, e.path(quarantineName))
	if err == nil {
		err = save(e.cfg.FS, path, kept)
	}
	if err == nil {
		err = syncDir(e.cfg.FS, e.path(quarantineName))
	}
	log := e.cfg.Logger.With("file", path, "error", firstLine(cause.Error()))
	if err != nil {
		log.Error("stored file is damaged, and could not be set aside", "cause", err)
		return
	}
	log.Error("stored file is damaged; what it holds is not served, "+
		"a second file keeps it", "kept", kept)
}

func linkOrCopy(fsys vfs.FS, old, name string) error {
	err := fsys.Link(old, name)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return err
	}
	return vfs.Copy(fsys, old, name)
}

// backOff lets no compaction begin for a while: each that met damage in a row
// doubles it.
func (q *quarantine) backOff() (pause time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pause = min(pauseFirst<<min(q.failed, 10), pauseMost)
	q.failed++
	q.until = time.Now().Add(pause)
	return pause
}

// stuck reports whether a compaction met damage: until an operator has seen to it, it
// and what it holds up will not end.
func (q *quarantine) stuck() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failed > 0
}

func (q *quarantine) paused() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Now().Before(q.until)
}

// quarantined tells of the files that were set aside.
func (i *Inspection) quarantined() {
	names, err := listQuarantine(i.engine)
	i.note(i.engine.path(quarantineName), err)
	for _, name := range names {
		i.note(i.engine.path(quarantineName, name), fmt.Errorf(
			"%w: a damaged file that a run set aside", store.ErrDamaged))
	}
}
