package amqp091

import (
	"fmt"
	"slices"

	"coffer/internal/protocol/amqp091/wire"
)

// Names of arguments that mean something here.
const (
	argType          = "x-queue-type"
	argMessageTTL    = "x-message-ttl"
	argExpires       = "x-expires"
	argMaxLength     = "x-max-length"
	argMaxBytes      = "x-max-length-bytes"
	argOverflow      = "x-overflow"
	argDeadExchange  = "x-dead-letter-exchange"
	argDeadKey       = "x-dead-letter-routing-key"
	argMaxPriority   = "x-max-priority"
	argSingle        = "x-single-active-consumer"
	argDeliveryLimit = "x-delivery-limit"

	argConsumerTimeout = "x-consumer-timeout"
)

// argument is one that RabbitMQ 4.1 knows for queues. Others mean nothing and are
// kept.
type argument struct {
	name  string
	kinds kind
	// check gives what is wrong with a value, as an Erlang term; "" is nothing.
	check func(wire.Value, wire.Table) string
}

// queueArguments are in the order in which RabbitMQ checks them.
var queueArguments = [...]argument{
	{argExpires, classic | quorum, positiveTime},
	{argMessageTTL, classic | quorum, someTime},
	{argDeadExchange, classic | quorum, anyText},
	{argDeadKey, classic | quorum, deadKey},
	{"x-dead-letter-strategy", quorum, oneOf("invalid_dlx_strategy",
		"at-most-once", "at-least-once")},
	{argMaxLength, classic | quorum | stream, notNegative},
	{argMaxBytes, classic | quorum | stream, notNegative},
	{"x-max-in-memory-length", quorum, notNegative},
	{"x-max-in-memory-bytes", quorum, notNegative},
	{argMaxPriority, classic, maxPriority},
	{argOverflow, classic | quorum, oneOf("invalid_overflow",
		"drop-head", "reject-publish", "reject-publish-dlx")},
	{"x-queue-mode", classic, queueMode},
	{"x-queue-version", classic, queueVersion},
	{argSingle, classic | quorum, truth},
	{argType, classic | quorum | stream, queueType},
	{"x-quorum-initial-group-size", quorum, positive},
	{argDeliveryLimit, quorum, integer},
	{"x-queue-leader-locator", classic | quorum | stream, oneOf("invalid_queue_locator_arg",
		"client-local", "balanced", "random", "least-leaders")},
	{"x-queue-master-locator", classic, nil},
	{argConsumerTimeout, classic | quorum, positiveTime},
	{"x-max-age", stream, nil},
	{"x-stream-max-segment-size-bytes", stream, nil},
	{"x-stream-filter-size-bytes", stream, nil},
	{"x-initial-cluster-size", stream, nil},
}

// checkQueueArguments refuses what a new queue cannot have.
func checkQueueArguments(t wire.Table, owner string) error {
	wrong := func(a *argument) error {
		v, ok := t.Get(a.name)
		if !ok || a.check == nil {
			return nil
		}
		if term := a.check(v, t); term != "" {
			return refuse(wire.PreconditionFailed, "invalid arg '%s' for %s: %s",
				a.name, owner, term)
		}
		return nil
	}
	for i := range queueArguments {
		if a := &queueArguments[i]; a.name == argType {
			if err := wrong(a); err != nil {
				return err
			}
		}
	}
	k := kindOfQueue(t)
	if k == stream {
		// A stream keeps what was consumed. Another queue in disguise would not.
		return refuse(wire.NotImplemented,
			"argument '%s' for %s: type '%s' is not implemented", argType, owner, streamName)
	}
	for i := range queueArguments {
		if a := &queueArguments[i]; a.kinds&k != 0 {
			if err := wrong(a); err != nil {
				return err
			}
		}
	}
	for _, f := range t {
		i := slices.IndexFunc(queueArguments[:], func(a argument) bool { return a.name == f.Name })
		if i >= 0 && queueArguments[i].kinds&k == 0 {
			return refuse(wire.PreconditionFailed, "invalid arg '%s' for %s of queue type %s",
				f.Name, owner, k.module())
		}
	}
	return nil
}

// integer accepts any number without a fraction.
func integer(v wire.Value, _ wire.Table) string {
	if _, ok := v.Int64(); !ok {
		return `"expected integer, got ` + typeName(v) + `"`
	}
	return ""
}

func notNegative(v wire.Value, t wire.Table) string {
	if n, _ := v.Int64(); n < 0 {
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return integer(v, t)
}

func positive(v wire.Value, t wire.Table) string {
	if n, ok := v.Int64(); ok && n == 0 {
		return "{value_zero,0}"
	}
	return notNegative(v, t)
}

// longestTime is RabbitMQ's bound of times, in milliseconds: ten years.
const longestTime = 10 * 365 * 86400 * 1000

func someTime(v wire.Value, t wire.Table) string {
	if n, _ := v.Int64(); n > longestTime {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return notNegative(v, t)
}

func positiveTime(v wire.Value, t wire.Table) string {
	if n, ok := v.Int64(); ok && n == 0 {
		return "{value_zero,0}"
	}
	return someTime(v, t)
}

func maxPriority(v wire.Value, t wire.Table) string {
	if n, _ := v.Int64(); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return notNegative(v, t)
}

func queueVersion(v wire.Value, t wire.Table) string {
	if n, ok := v.Int64(); ok && n >= 0 && n != 1 && n != 2 {
		return fmt.Sprintf(`"unsupported queue version '%d'"`, n)
	}
	return notNegative(v, t)
}

func unacceptable(v wire.Value) string { return "{unacceptable_type," + typeName(v) + "}" }

func anyText(v wire.Value, _ wire.Table) string {
	if _, ok := v.Text(); !ok {
		return unacceptable(v)
	}
	return ""
}

func truth(v wire.Value, _ wire.Table) string {
	if _, ok := v.Bool(); !ok {
		return unacceptable(v)
	}
	return ""
}

func deadKey(v wire.Value, t wire.Table) string {
	if _, ok := v.Text(); !ok {
		return unacceptable(v)
	}
	if _, ok := t.Get(argDeadExchange); !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return ""
}

// oneOf accepts some words.
func oneOf(wrong string, words ...string) func(wire.Value, wire.Table) string {
	return func(v wire.Value, _ wire.Table) string {
		text, ok := v.Text()
		switch {
		case !ok:
			return unacceptable(v)
		case !slices.Contains(words, text):
			return wrong
		}
		return ""
	}
}

func queueMode(v wire.Value, _ wire.Table) string {
	text, ok := v.Text()
	switch {
	case !ok:
		return unacceptable(v)
	case text != "default" && text != "lazy":
		return term("unsupported queue mode '" + text + "'")
	}
	return ""
}

func queueType(v wire.Value, _ wire.Table) string {
	text, ok := v.Text()
	switch {
	case !ok:
		return unacceptable(v)
	case text != classicName && text != quorumName && text != streamName:
		return term("unsupported queue type '" + text + "'")
	}
	return ""
}
