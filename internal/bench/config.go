package bench

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/fault"
)

// Bounds of a Config, beside those of memory.
const (
	maxConnections = 100_000
	maxQueues      = 100_000
	maxWindow      = 1 << 20
	maxPrefetch    = 65_535 // a field of 16 bits
	maxSize        = 128 << 20
)

// Config says which broker is measured and with what load.
type Config struct {
	Target amqpclient.Config
	PID    int // of the broker; 0: the local process that listens at the target, if any

	Publishers int // connections that publish; 1
	Consumers  int // connections that consume; 0: nobody does
	Queues     int // 1
	// Prefix of the queues' names; a random one. They must not hold messages.
	Prefix    string
	QueueType string // argument x-queue-type; none
	Fanout    bool   // every message goes to all queues, by an exchange

	Size      int  // of a message in octets; 1024, and at least MinSize
	Transient bool // messages that need not outlast a restart
	Window    int  // messages of a publisher that are not yet confirmed; 256
	// Rate is messages per second of all publishers; 0: as many as go. Timers make the
	// generator up to a millisecond late, which counts as latency: Null shows how much.
	Rate     float64
	Prefetch int // of a consumer; 256
	AckEvery int // messages settled by one ack; a quarter of Prefetch

	Preload  int64         // messages that are in the queues before anybody consumes
	Warmup   time.Duration // of the load, before it is measured
	Duration time.Duration // of the measurement; 0: only Preload comes and goes
	// Patience is how long nothing at all may happen before the run gives up; 30 s.
	Patience time.Duration
}

// settle fills in the defaults and refuses what makes no sense.
func (c *Config) settle() error {
	c.Publishers, c.Queues = cmp.Or(c.Publishers, 1), cmp.Or(c.Queues, 1)
	c.Size, c.Window = cmp.Or(c.Size, 1<<10), cmp.Or(c.Window, 256)
	c.Prefetch = cmp.Or(c.Prefetch, 256)
	c.AckEvery = cmp.Or(c.AckEvery, max(1, c.Prefetch/4))
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	c.Prefix = cmp.Or(c.Prefix, "coffer-bench-"+strings.ToLower(rand.Text()[:8]))
	err := within([]bound{
		{"publishers", int64(c.Publishers), 1, maxConnections},
		{"consumers", int64(c.Consumers), 0, maxConnections},
		{"queues", int64(c.Queues), 1, maxQueues},
		{"size", int64(c.Size), MinSize, maxSize},
		{"window", int64(c.Window), 1, maxWindow},
		{"prefetch", int64(c.Prefetch), 1, maxPrefetch},
		{"ack-every", int64(c.AckEvery), 1, int64(c.Prefetch)},
		{"preload", c.Preload, 0, 1 << 40},
		{"warmup", int64(c.Warmup), 0, int64(24 * time.Hour)},
		{"duration", int64(c.Duration), 0, int64(24 * time.Hour)},
		{"patience", int64(c.Patience), int64(time.Millisecond), int64(24 * time.Hour)},
		{"rate", int64(c.Rate), 0, 1 << 40},
	})
	if err == nil && c.Duration == 0 && c.Preload == 0 {
		err = errNoLoad
	}
	return err
}

// errNoLoad: nothing would be sent.
var errNoLoad = fault.New(fault.Invalid, "neither a duration nor messages to preload")

// A bound is the range of one number of a Config, both ends included.
type bound struct {
	name             string
	value, low, high int64
}

// within refuses what is outside of its bounds.
func within(list []bound) error {
	for _, b := range list {
		if b.value < b.low || b.value > b.high {
			return fault.New(fault.Invalid, "%s: %s is not from %s to %s", b.name,
				amount(b.name, b.value), amount(b.name, b.low), amount(b.name, b.high))
		}
	}
	return nil
}

// amount writes a number, or a time, as it was given.
func amount(name string, n int64) string {
	switch name {
	case "warmup", "duration", "patience":
		return time.Duration(n).String()
	}
	return fmt.Sprint(n)
}
