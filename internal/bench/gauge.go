package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

const look = 5 * time.Millisecond // between two looks at the counts

// A gauge is what measurements of all kinds of servers have: a clock, counts, and an
// eye on the server's process.
type gauge struct {
	plan     plan
	fail     context.CancelCauseFunc
	pid      int           // of the server; 0: unknown
	patience time.Duration // how long nothing at all may happen
	blocked  func() string // why nothing happens, if the server told

	id     uint32
	base   time.Time
	meters meters
	from   atomic.Int64 // what was due since then is measured
	memory memory
}

// start begins the time of a gauge whose other fields are set.
func (g *gauge) start() {
	var id [4]byte
	rand.Read(id[:]) // it never fails
	g.id, g.base = binary.LittleEndian.Uint32(id[:]), time.Now()
	g.from.Store(math.MaxInt64)
}

// now is the time of the run in nanoseconds.
func (g *gauge) now() int64 { return int64(time.Since(g.base)) }

// errSilent is the end of a wait in which nothing happened.
var errSilent = errors.New("nothing happened")

// await returns when done is true, or with errSilent when nothing happens for long.
func (g *gauge) await(ctx context.Context, done func(counts) bool) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	// Looks are counted, not time: if this process did not run, nothing is known.
	last, quiet := g.meters.counts(), time.Duration(0)
	for {
		c := g.meters.counts()
		if done(c) {
			return nil
		}
		if quiet += look; c != last {
			last, quiet = c, 0
		} else if quiet > g.patience {
			return fmt.Errorf("%w for %v: %d of %d publishes are not confirmed%s", errSilent,
				g.patience, c.published-c.confirmed-c.refused, c.published, g.blocked())
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hold waits for a time in which something happens.
func (g *gauge) hold(ctx context.Context, d time.Duration) error {
	end := g.now() + int64(d)
	return g.await(ctx, func(counts) bool { return g.now() >= end })
}

// phase lets the load warm up and then gives what happens in a time.
func (g *gauge) phase(ctx context.Context, warmup, d time.Duration) (*Phase, error) {
	if err := g.hold(ctx, warmup); err != nil {
		return nil, err
	}
	begin := g.mark()
	g.from.Store(begin.at)
	if err := g.hold(ctx, d); err != nil {
		return nil, err
	}
	return g.mark().since(begin), nil
}
