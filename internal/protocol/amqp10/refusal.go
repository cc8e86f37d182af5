package amqp10

import (
	"errors"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
)

// Scope is what an error ends.
type Scope uint8

// The scopes, from the smallest.
const (
	LinkScope Scope = iota
	SessionScope
	ConnectionScope
)

var scopeNames = [...]string{"link", "session", "connection"}

// String gives the name of the scope.
func (s Scope) String() string { return scopeNames[s] }

// refusal is an error that is told to the client.
type refusal struct {
	scope     Scope
	condition string
	text      string
	err       error // the cause, for the log
}

// Error gives the condition and the description.
func (r *refusal) Error() string { return r.condition + ": " + r.text }

// Unwrap gives the cause.
func (r *refusal) Unwrap() error { return r.err }

func refuse(scope Scope, condition, format string, args ...any) *refusal {
	return &refusal{scope: scope, condition: condition, text: fmt.Sprintf(format, args...)}
}

// errGoodbye: the client closed the connection as the protocol wants it.
var errGoodbye = errors.New("amqp10: closed by the client")

// errStopping: the listener is closing.
var errStopping = errors.New("amqp10: the server is stopping")

// errWrite: the client could not be written to.
var errWrite = errors.New("amqp10: write failed")

// errSilent: nothing came for longer than the idle time-out.
var errSilent = errors.New("amqp10: the client was silent for too long")

// asRefusal turns any error into one for the client. What has no kind keeps its text
// to itself. Like RabbitMQ's, most end the session.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if v, ok := errors.AsType[*wire.Violation](err); ok {
		scope := SessionScope
		if v.Condition == wire.ConnectionErrorFramingError {
			scope = ConnectionScope
		}
		return &refusal{scope: scope, condition: v.Condition, text: v.Text, err: err}
	}
	condition, text := conditionOf(err)
	return &refusal{scope: SessionScope, condition: condition, text: text, err: err}
}

// conditionOf gives what a client may hear of an error.
func conditionOf(err error) (condition, text string) {
	text = publicText(err)
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Exists, fault.Conflict:
		return wire.AmqpErrorPreconditionFailed, text
	case fault.Exhausted:
		return wire.AmqpErrorResourceLimitExceeded, text
	case fault.NotFound:
		return wire.AmqpErrorNotFound, text
	case fault.Denied, fault.Unauthenticated, fault.KeyUnavailable:
		return wire.AmqpErrorUnauthorizedAccess, text
	case fault.Unavailable:
		return wire.AmqpErrorResourceLocked, text
	case fault.NotImplemented:
		return wire.AmqpErrorNotImplemented, text
	}
	return wire.AmqpErrorInternalError, ""
}

// publicText is the part of an error that a client may see.
func publicText(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return ""
}

// encode gives the error as a value for end, detach and close.
func (r *refusal) encode() wire.Raw { return encodeError(r.condition, r.text) }

func encodeError(condition, text string) wire.Raw {
	e := wire.Error{Condition: []byte(condition)}
	if text != "" {
		e.Description = []byte(text)
	}
	return e.Append(nil)
}
