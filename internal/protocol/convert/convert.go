// Package convert turns messages of AMQP 0-9-1 into messages of AMQP 1.0 and back, as
// RabbitMQ 4 documents it. Both doors use it for what the other one stored.
//
// It is pure and total: every message that one of the codecs accepts has a form in the
// other protocol; what that cannot say is left out. A message that is not converted is
// never touched, so that one which comes and goes by the same protocol stays as it is.
//
// It does not know queues, exchanges or deaths: what a broker adds to a message when
// it delivers it is the doors'.
package convert

import (
	"coffer/internal/broker"
	"coffer/internal/fault"
)

// Formats of [broker.Content].
const (
	// Format091: Header holds property flags and property list, Body the body.
	Format091 = 1
	// Format10: Header holds the sections header and message-annotations as they
	// came, Body the bare message and the footer.
	Format10 = 2
)

// To091 gives a message as one of AMQP 0-9-1. Errors: fault.NotImplemented for a format
// that nobody knows, and those of a damaged message.
func To091(c broker.Content) (broker.Content, error) {
	switch c.Format {
	case Format091:
		return c, nil
	case Format10:
		return from10(c)
	}
	return c, unknown(c.Format)
}

// To10 gives a message as one of AMQP 1.0. Errors are those of To091.
func To10(c broker.Content) (broker.Content, error) {
	switch c.Format {
	case Format10:
		return c, nil
	case Format091:
		return from091(c)
	}
	return c, unknown(c.Format)
}

func unknown(format uint8) error {
	return fault.New(fault.NotImplemented, "message of an unknown format (%d)", format)
}
