package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// floodBurst is how many records of one message are written at once, floodRate how
	// many more a second: who is refused again and again must not fill the disk.
	floodBurst = 200
	floodRate  = 10
	// floodClasses bounds the messages that are told apart. They are constants of the
	// code, so there are fewer.
	floodClasses = 1000
	// suppressed is the attribute that counts the records of the same message that were
	// not written before this one.
	suppressed = "suppressed"
)

// flood is a handler that writes no more of one message than floodBurst and floodRate
// allow, by the times of the records. Debug is for who wants to see all.
type flood struct {
	slog.Handler
	classes *classes // shared by the handlers that With made of one
}

var _ slog.Handler = (*flood)(nil)

type classes struct {
	mu sync.Mutex
	of map[string]*class
}

// class is how much of a message may be written.
type class struct {
	room    float64
	at      time.Time // of room
	dropped int64     // since the last that was written
}

func newFlood(h slog.Handler) *flood {
	return &flood{h, &classes{of: map[string]*class{}}}
}

// Handle is [slog.Handler]'s.
func (f *flood) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		ok, dropped := f.classes.take(r.Message, r.Time)
		if !ok {
			return nil
		}
		if dropped > 0 {
			r = r.Clone()
			r.AddAttrs(slog.Int64(suppressed, dropped))
		}
	}
	return f.Handler.Handle(ctx, r)
}

// take reports whether a record may be written, and how many before it were not.
func (c *classes) take(message string, now time.Time) (ok bool, dropped int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.of[message]
	if k == nil {
		if len(c.of) == floodClasses {
			clear(c.of)
		}
		k = &class{room: floodBurst, at: now}
		c.of[message] = k
	}
	k.room = min(floodBurst, k.room+max(0, now.Sub(k.at).Seconds())*floodRate)
	k.at = now
	if k.room < 1 {
		k.dropped++
		return false, 0
	}
	k.room--
	dropped, k.dropped = k.dropped, 0
	return true, dropped
}

// WithAttrs is [slog.Handler]'s.
func (f *flood) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &flood{f.Handler.WithAttrs(attrs), f.classes}
}

// WithGroup is [slog.Handler]'s.
func (f *flood) WithGroup(name string) slog.Handler {
	return &flood{f.Handler.WithGroup(name), f.classes}
}
