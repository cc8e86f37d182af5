package amqp091

import (
	"strings"

	"coffer/internal/protocol/amqp091/wire"
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
