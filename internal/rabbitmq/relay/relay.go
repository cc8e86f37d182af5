// Package relay moves messages from a queue of one broker to another broker, for shovels
// and federation links.
//
// In the mode OnConfirm it settles a message at the source only after the target has
// confirmed it, so whatever dies in between, the message is at one of the two, or at
// both. What the target refuses goes back to the source after a pause. It declares
// nothing, and does not connect anew: when either end is lost, Run returns.
package relay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Mode says when the source may forget a message.
type Mode uint8

// The modes.
const (
	OnConfirm Mode = iota // when the target has confirmed it
	OnPublish             // when it was sent to the target
	NoAck                 // when it has come here
)

// ParseMode reads RabbitMQ's names; "" is on-confirm.
func ParseMode(s string) (Mode, bool) {
	switch s {
	case "", "on-confirm":
		return OnConfirm, true
	case "on-publish":
		return OnPublish, true
	case "no-ack":
		return NoAck, true
	}
	return 0, false
}

// MaxWindow is the most messages that a relay holds; a prefetch of 0, which means no
// bound, is this.
const MaxWindow = 10_000

// Unlimited as Config.Count moves without end.
const Unlimited = -1

// Defaults of Config.
const (
	defaultPause = time.Second
	defaultGrace = 5 * time.Second
)

// Message is what is published for a delivery.
type Message struct {
	Exchange, Key string
	// Mandatory: the target must have a queue for it. One that comes back ends the relay
	// with ErrUnroutable, and the source keeps it.
	Mandatory bool
	amqp.Publishing
}

// Config says what to move. Source and Target are open channels of which the relay has
// the only use.
type Config struct {
	Source, Target *amqp.Channel
	Queue          string
	Tag            string     // of the consumer; "": the library's
	Arguments      amqp.Table // of the consumer
	Prefetch       int        // messages held at once; 0 or more than MaxWindow: that
	Mode           Mode
	// Count is how many to move; Unlimited, or 0 for none.
	Count int64
	// Make says what to publish, or that the message is dropped and settled.
	Make func(*amqp.Delivery) (Message, bool)
	// Demand, when not nil, tells whether the source is to be consumed; it is not before
	// the first value.
	Demand <-chan bool
	Pause  time.Duration // before what was refused goes back; 1 s
	Grace  time.Duration // to settle what was sent when ctx ends; 5 s
}

// ErrUnroutable says that the target has no queue for a message.
var ErrUnroutable = errors.New("the destination has no queue for a message any more")

// Counters are what a relay has done so far. They may be read while it runs.
type Counters struct {
	Forwarded atomic.Int64 // messages published
	Pending   atomic.Int64 // of them not confirmed
	Left      atomic.Int64 // to be settled, of Count; Unlimited
	Unsent    atomic.Int64 // to be published, of Count; Unlimited
}

// Run moves messages until Count of them are at the target (nil), ctx ends (its error),
// or an end is lost.
func Run(ctx context.Context, cfg Config, counters *Counters) error {
	r := &run{Config: cfg, counters: counters}
	if r.Prefetch <= 0 || r.Prefetch > MaxWindow {
		r.Prefetch = MaxWindow
	}
	if r.Pause == 0 {
		r.Pause = defaultPause
	}
	if r.Grace == 0 {
		r.Grace = defaultGrace
	}
	counters.Left.Store(cfg.Count)
	counters.Unsent.Store(cfg.Count)
	counters.Pending.Store(0)
	if cfg.Count == 0 {
		return nil
	}
	if err := r.open(); err != nil {
		return err
	}
	return r.loop(ctx)
}

// open prepares both channels.
func (r *run) open() error {
	r.sourceLost = r.Source.NotifyClose(make(chan *amqp.Error, 1))
	r.targetLost = r.Target.NotifyClose(make(chan *amqp.Error, 1))
	r.cancelled = r.Source.NotifyCancel(make(chan string, 1))
	r.returned = r.Target.NotifyReturn(make(chan amqp.Return, r.Prefetch+1))
	if r.Mode == OnConfirm {
		if err := r.Target.Confirm(false); err != nil {
			return fmt.Errorf("destination: %w", err)
		}
	}
	// Also without acknowledgements of its own: what comes unasked would fill memory.
	if err := r.Source.Qos(r.Prefetch, 0, false); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if r.Demand == nil {
		return r.consume()
	}
	return nil
}

func (r *run) consume() error {
	if r.Tag == "" {
		r.Tag = "relay"
	}
	deliveries, err := r.Source.Consume(r.Queue, r.Tag, false, false, false, false, r.Arguments)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	r.deliveries = deliveries
	return nil
}
