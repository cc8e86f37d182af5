// Package wire is the codec of AMQP 0-9-1 as RabbitMQ speaks it: protocol
// header, frames, the 64 methods, content headers and field tables, in both
// directions, so that a server and a client can be built on it.
//
// It is pure: functions over []byte, no socket, no goroutine, no clock. It
// never reads past its input and never allocates more than a small multiple of
// it (see [ParseTable]). Decoding of frames, of content headers and of the
// methods that travel with every message allocates nothing: their slices alias
// the input, whose owner must keep it unchanged until it is done with them.
// Everything else is copied. Encoding appends to a slice of the caller.
//
// It does not know the state of a connection: which frame may come when,
// which sizes were negotiated and what a content body must add up to is the
// caller's. Errors that a peer must be told are of type [*Error].
//
// Sources: the AMQP 0-9-1 specification, section 4 for the grammar; RabbitMQ's
// published errata for field types; spec.json of internal/tools/amqpgen for the
// methods.
package wire

//go:generate go -C ../../../tools/amqpgen run . -out ../../protocol/amqp091/wire
