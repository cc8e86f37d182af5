// Package telemetry is what an operator sees of the process besides its doors:
// the log's format and level, metrics, and health.
//
// It guarantees that nothing is global: two registries or loggers in one
// process know nothing of each other. Its HTTP handler answers requests from
// this machine only, since what it shows is not for tenants.
//
// It does not open sockets and decides neither what is logged nor what is
// counted. Metrics and logs may not carry secrets or message data; that is up
// to those who write them.
package telemetry

import (
	"io"
	"log/slog"

	"coffer/internal/fault"
)

// LogConfig says how the log looks.
type LogConfig struct {
	// Format is text or json. Default: text.
	Format string
	// Level is debug, info, warn or error: the lowest that is written.
	// Default: info.
	Level string
	// Names, if not nil, hides the names that users gave.
	Names *Names
}

// NewLogger makes a logger that writes to w, a line an event, with times in
// UTC. It serializes its writes. Of one message at most 200 lines are written at once and
// ten more a second, unless it is for debugging; the next line tells by the attribute
// suppressed how many were not. The errors are Invalid and name the value.
func NewLogger(w io.Writer, cfg LogConfig) (*slog.Logger, error) {
	level, err := parseLevel(cfg.Level)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: utc}
	if n := cfg.Names; n != nil {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			return n.hide(groups, utc(groups, a))
		}
	}
	switch cfg.Format {
	case "", "text":
		return slog.New(newFlood(slog.NewTextHandler(w, options))), nil
	case "json":
		return slog.New(newFlood(slog.NewJSONHandler(w, options))), nil
	}
	return nil, fault.New(fault.Invalid, "log format %q: neither text nor json", cfg.Format)
}

func parseLevel(name string) (slog.Level, error) {
	switch name {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fault.New(fault.Invalid, "log level %q: not debug, info, warn or error", name)
}

// utc makes the log comparable with the audit trail, whose times are UTC.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
