package brokertest

import (
	"slices"
	"sync"
	"time"

	"coffer/internal/broker"
)

// Clock is a time that stands still until a test moves it. The zero value is
// not usable; NewClock makes one.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*timer
}

type timer struct {
	at time.Time
	fn func()
}

// NewClock gives a clock that stands at some time.
func NewClock() *Clock { return &Clock{now: time.Unix(1_800_000_000, 0)} }

// Use lets a core run on the clock.
func (c *Clock) Use(cfg broker.Config) broker.Config {
	cfg.Now, cfg.At = c.Now, c.At
	return cfg
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// At is broker.Config.At.
func (c *Clock) At(at time.Time, fn func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !at.After(c.now) {
		go fn()
		return func() {}
	}
	t := &timer{at, fn}
	c.timers = append(c.timers, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timers = slices.DeleteFunc(c.timers, func(x *timer) bool { return x == t })
	}
}

// Slip moves the time as Advance does, but what becomes due is not called before
// the next Advance: a real timer may be late, too.
func (c *Clock) Slip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Advance moves the time, by a negative duration backwards, and calls what has
// become due.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []*timer
	c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool {
		if t.at.After(c.now) {
			return false
		}
		due = append(due, t)
		return true
	})
	c.mu.Unlock()
	for _, t := range due {
		t.fn()
	}
}

// Timers gives the times that are waited for, for diagnosis.
func (c *Clock) Timers() (list []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.timers {
		list = append(list, t.at)
	}
	return append(list, c.now)
}
