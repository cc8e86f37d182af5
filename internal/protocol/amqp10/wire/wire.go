// Package wire is the codec of AMQP 1.0: protocol headers, frames, the types of the
// transport, messaging, security and transaction layers, values, and the sections of
// a message, in both directions.
//
// It is pure: functions over []byte, no socket, no goroutine, no clock. It never reads
// past its input, and what it accepts as a value is well formed in all its depth
// ([MaxDepth]). Decoding allocates nothing: slices of what was parsed alias the input,
// whose owner must keep it unchanged until it is done with them. Encoding appends to a
// slice of the caller.
//
// It does not know the state of a connection, session or link, and compares no sizes
// with what was negotiated, but for that of a frame. Errors that a peer must be told
// are of type [*Violation].
//
// Source: OASIS AMQP 1.0, parts 1 (types) to 5 (security); spec.json of
// internal/tools/amqp1gen for the composite types.
package wire

//go:generate go -C ../../../tools/amqp1gen run . -out ../../protocol/amqp10/wire

import "fmt"

// Violation is an error of the peer: what it sent cannot be understood.
type Violation struct {
	Condition string // one of the specification's
	Text      string
}

// Error gives the condition and the text.
func (v *Violation) Error() string { return v.Condition + ": " + v.Text }

// undecodable is the violation of a value that is not well formed.
func undecodable(format string, args ...any) *Violation {
	return &Violation{AmqpErrorDecodeError, fmt.Sprintf(format, args...)}
}

// Opt is a value that may be missing.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some is an Opt that is set.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Or gives the value, or another one when it is missing.
func (o Opt[T]) Or(other T) T {
	if o.Set {
		return o.Value
	}
	return other
}
