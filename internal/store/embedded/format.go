package embedded

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// Format is the number of the format that this program writes. It stands for
// everything that is stored: the store itself, and what all others keep in its
// shards. A directory of a lower number is upgraded at its start, one of a
// higher number is refused.
const Format = 3

// ErrNewer: the directory has a newer format than this program knows.
var ErrNewer = errors.New("store: the data directory has a newer format")

func newer(l label, newest int) error {
	need := fmt.Sprintf("a coffer that knows format %d", l.format)
	if l.writer != "" {
		need = fmt.Sprintf("coffer %s, which wrote it, or a newer one", l.writer)
	}
	return fmt.Errorf("%w: data directory has format %d, this coffer reads up to %d; use %s; "+
		"nothing was changed", ErrNewer, l.format, newest, need)
}

// Gate refuses a directory that [Open] would refuse for its format or a damaged
// identity, and touches nothing. One without an identity passes.
func Gate(dir string) error {
	_, _, err := readLabel(vfs.Default, vfs.Default.PathJoin(dir, identityName), Format)
	return err
}

// readLabel reads the identity file; found is false when there is none.
func readLabel(fsys vfs.FS, path string, newest int) (l label, found bool, err error) {
	text, err := readFile(fsys, path, maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read %s: %w", path, err)
	}
	if l, err = parseLabel(text, newest); err != nil {
		return l, true, fmt.Errorf("%s: %w", path, err)
	}
	return l, true, nil
}

// gate reads the identity, before anything else is read and while nothing was
// changed.
func (e *Engine) gate() (err error) {
	e.label, e.stored, err = readLabel(e.cfg.FS, e.path(identityName), Format)
	if err == nil {
		e.identity = e.label.Identity
	}
	return err
}

// upgrades are the steps of the store itself: upgrades[v] turns what this
// package writes from format v to v+1. A step may be cut short by a crash at any
// point and is then repeated whole. What stands above does its own steps between
// Open and Upgraded, under the same terms.
func (e *Engine) upgrades() map[int]func(at []store.Position) error {
	return map[int]func(at []store.Position) error{
		// The floor gets rules that tell an old copy of it; data/ is as it was.
		1: func(at []store.Position) error { return e.floor.begin(floorVersion(2), at) },
		// The log is the store's own; what was in Pebble's went to tables when it opened.
		2: func([]store.Position) error { return nil },
	}
}

// floorVersion is the version of the floor in a format.
func floorVersion(format int) byte { return byte(min(format, 2)) }

// beginUpgrade marks an older directory, so that no older program opens it from
// now on, and a crash is followed by the same steps.
func (e *Engine) beginUpgrade() error {
	if e.label.format == Format {
		e.tellUpgrade()
		return nil
	}
	next := e.label
	next.format, next.writer = Format, e.cfg.Writer
	if next.upgrading == 0 {
		next.upgrading = e.label.format
	}
	path := e.path(identityName)
	if err := writeFile(e.cfg.FS, path, next.encode()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	e.label = next
	e.tellUpgrade()
	return nil
}

func (e *Engine) tellUpgrade() {
	if from, to, pending := e.Upgrade(); pending {
		e.cfg.Logger.Info("the data directory is being upgraded; "+
			"older programs will refuse it from now on", "dir", e.cfg.Dir, "from", from, "to", to)
	}
}

// upgrade does the store's own steps.
func (e *Engine) upgrade(at []store.Position) error {
	from, to, pending := e.Upgrade()
	if !pending {
		return nil
	}
	for steps := e.upgrades(); from < to; from++ {
		step := steps[from]
		if step == nil {
			return fmt.Errorf("upgrade %s: no step from format %d", e.cfg.Dir, from)
		}
		if err := step(at); err != nil {
			return fmt.Errorf("upgrade %s from format %d: %w", e.cfg.Dir, from, err)
		}
	}
	return nil
}

// Upgrade tells from which format to which the directory is being brought.
// While it is pending, what stands above may find entries of both; when it has
// done its part it calls Upgraded.
func (e *Engine) Upgrade() (from, to int, pending bool) {
	return e.label.upgrading, e.label.format, e.label.upgrading != 0
}

// Upgraded notes, durably, that everything stored has the present format. It
// does nothing when no upgrade is pending. It is for the goroutine that called
// Open.
func (e *Engine) Upgraded() error {
	from, to, pending := e.Upgrade()
	if !pending {
		return nil
	}
	next := e.label
	next.upgrading = 0
	path := e.path(identityName)
	if err := writeFile(e.guard, path, next.encode()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := e.dead(); err != nil {
		return err
	}
	e.label = next
	e.cfg.Logger.Info("the data directory was upgraded",
		"dir", e.cfg.Dir, "from", from, "to", to)
	return nil
}

// fits compares the floor with the identity and with where the shards end: each
// of them may be an old copy.
func (e *Engine) fits(at []store.Position) error {
	_, _, upgrading := e.Upgrade()
	path, want := e.path(floorName), floorVersion(e.label.format)
	old := ""
	switch {
	case want < e.floor.version:
		old = e.path(identityName)
	case want > e.floor.version && !upgrading:
		old = path
	}
	if old != "" {
		return fmt.Errorf("%w: %s is an old copy, from before an upgrade of the directory; "+
			"nothing was changed, restore the directory from a backup", store.ErrDamaged, old)
	}
	if why := e.floor.contradicts(at); why != "" {
		return fmt.Errorf("%w: %s: %s; nothing was changed, restore the directory from a backup",
			store.ErrDamaged, path, why)
	}
	if e.floor.garbled {
		e.cfg.Logger.Warn("one slot of a file is garbled, as a crash in its write leaves it; "+
			"the other one holds", "file", path)
	}
	return nil
}
