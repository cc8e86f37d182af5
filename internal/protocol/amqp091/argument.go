package amqp091

import (
	"strings"

	"coffer/internal/protocol/amqp091/wire"
)

// Arguments of RabbitMQ's that change what a queue, exchange or consumer does
// and that are not built, with a space around each. They are refused, since a
// client that sets one relies on it.
const (
	queueArguments = " x-message-ttl x-expires x-max-length x-max-length-bytes x-overflow" +
		" x-max-in-memory-length x-max-in-memory-bytes x-max-priority" +
		" x-dead-letter-exchange x-dead-letter-routing-key x-dead-letter-strategy" +
		" x-single-active-consumer x-delivery-limit x-consumer-timeout x-max-age" +
		" x-stream-max-segment-size-bytes x-stream-filter-size-bytes" +
		" x-quorum-initial-group-size x-quorum-target-group-size x-initial-cluster-size "
	exchangeArguments = " alternate-exchange "
	consumeArguments  = " x-priority x-stream-offset x-stream-filter" +
		" x-stream-match-unfiltered "
)

// checkArguments refuses arguments of the list. Others are kept and mean
// nothing, as in RabbitMQ.
func checkArguments(t wire.Table, refused, owner string) error {
	for _, f := range t {
		if strings.Contains(refused, " "+f.Name+" ") {
			return refuse(wire.NotImplemented, "argument '%s' for %s is not implemented",
				f.Name, owner)
		}
	}
	return nil
}

// checkQueueArguments refuses what a queue cannot do.
func checkQueueArguments(t wire.Table, owner string) error {
	if err := checkArguments(t, queueArguments, owner); err != nil {
		return err
	}
	v, ok := t.Get("x-queue-type")
	if !ok {
		return nil
	}
	switch kind, _ := v.Text(); kind {
	case "classic":
		return nil
	case "quorum", "stream":
		// A quorum queue counts deliveries and ends those of poison; a stream
		// keeps what was consumed. A classic queue in disguise would do neither.
		return refuse(wire.NotImplemented,
			"argument 'x-queue-type' for %s: type '%s' is not implemented", owner, kind)
	default:
		return refuse(wire.PreconditionFailed,
			"invalid arg 'x-queue-type' for %s: unknown queue type '%s'", owner, kind)
	}
}

// equal refuses a declaration that differs from what is there.
func equal[T comparable](name, owner string, received, current T, text func(T) string) error {
	if received == current {
		return nil
	}
	return refuse(wire.PreconditionFailed,
		"inequivalent arg '%s' for %s: received '%s' but current is '%s'",
		name, owner, text(received), text(current))
}

// encodeTable gives the form in which arguments are kept: nil for none.
func encodeTable(t wire.Table) ([]byte, error) {
	if len(t) == 0 {
		return nil, nil
	}
	return wire.AppendTable(nil, t)
}
