package amqp091

import (
	"coffer/internal/protocol/amqp091/wire"
)

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
