package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"coffer/internal/store"
)

// Sizes of a block and of a table in the level that flushes write; tables double
// from one level to the next.
const (
	blockBytes = 16 << 10
	tableBytes = 8 << 20
)

// options gives Pebble's settings.
func (e *Engine) options() *pebble.Options {
	opts := &pebble.Options{
		FS:            e.guard,
		Logger:        logger{e},
		EventListener: e.listener(),
		CacheSize:     e.cfg.CacheBytes,
		MaxOpenFiles:  1000,

		// The first version whose log records say up to where it was synced, so
		// that damage before that point is not taken for the end.
		FormatMajorVersion: pebble.FormatWALSyncChunks,

		// Tables come by Ingest, what is in memory before is in the log of the store.
		DisableWAL:   true,
		MemTableSize: 64 << 10,

		// A burst is taken in and compacted later: two compactions at most, so
		// that the owner goroutines keep a core.
		L0CompactionThreshold:      4,
		LBaseMaxBytes:              64 << 20,
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, 2 },
	}
	// A queue is read from one end to the other, so larger blocks than Pebble's 4 KiB
	// mean fewer reads and writes and smaller indexes; but a damaged one loses all of
	// it. What is known of every table stays in memory, so tables of a queue of
	// millions are few and large.
	opts.Levels[0].BlockSize = blockBytes
	opts.TargetFileSizes[0] = tableBytes
	// What is stored is sealed and does not shrink.
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.DBCompressionNone
	})
	opts.Experimental.ReadSamplingMultiplier = -1 // reads cause no compactions
	opts.Experimental.CompactionScheduler = newThrottle(e.quarantine)
	return opts
}

// listener takes the events that must not go unseen. The errors of writes have
// failed the engine before they come here, and what Pebble then finds on the
// frozen disk, such as files without content, is no damage.
func (e *Engine) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if e.dead() != nil {
				return
			}
			if pebble.IsCorruptionError(err) {
				e.cfg.Logger.Error("compaction met damage and left its files as they are",
					"error", damage(err, e.path(dataName)), "pause", e.quarantine.backOff())
				return
			}
			e.fail(fmt.Errorf("store in the background: %w", err))
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			if e.dead() != nil {
				return
			}
			if e.settled.Load() {
				e.quarantine.keep(info.Path, info.Details, linkOrCopy)
				return
			}
			e.cfg.Logger.Error("stored file is damaged", "file", info.Path,
				"error", firstLine(info.Details.Error()))
		},
	}
}

// logger takes what Pebble would print. Its Fatalf does not exit: it fails the
// engine, which ends the process in the way that the process chose.
type logger struct{ e *Engine }

var _ pebble.Logger = logger{}

func (l logger) Infof(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

func (l logger) Errorf(format string, args ...any) {
	level := slog.LevelError
	if l.e.dead() != nil {
		level = slog.LevelDebug // what follows from the failure, which is told
	}
	l.log(level, format, args)
}

func (l logger) Fatalf(format string, args ...any) {
	l.e.fail(errors.New("store: " + firstLine(fmt.Sprintf(format, args...))))
}

func (l logger) log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if l.e.cfg.Logger.Enabled(ctx, level) {
		l.e.cfg.Logger.Log(ctx, level, "storage engine",
			"detail", firstLine(fmt.Sprintf(format, args...)))
	}
}

// firstLine leaves out the stacks that Pebble's errors carry.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// damage turns Pebble's corruption into store.ErrDamaged with the name of the
// file, or of the folder where Pebble does not say.
func damage(err error, dir string) error {
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		dir = info.Path
	}
	return damaged(dir, err)
}

// damaged is store.ErrDamaged with a file and the first line of the cause.
func damaged(file string, cause error) error {
	return fmt.Errorf("%w: %s: %s", store.ErrDamaged, file, firstLine(cause.Error()))
}
