package amqp091

import (
	"errors"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// refusal is an error that is told to the client with a close method.
type refusal struct {
	code wire.Code
	text string // without the code's name
	soft bool   // closes the channel although the code would close the connection
	err  error  // the cause, for the log
}

// Error gives the reply text.
func (r *refusal) Error() string { return wire.ReplyText(r.code, r.text) }

// Unwrap gives the cause.
func (r *refusal) Unwrap() error { return r.err }

func refuse(code wire.Code, format string, args ...any) *refusal {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// errGoodbye: the client closed the connection as the protocol wants it.
var errGoodbye = errors.New("amqp091: closed by the client")

// errStopping: the listener is closing.
var errStopping = errors.New("amqp091: the server is stopping")

// errWrite: the client could not be written to.
var errWrite = errors.New("amqp091: write failed")

// asRefusal turns any error of a method into one for the client. What has no
// kind keeps its text to itself.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return &refusal{code: e.Code, text: e.Text, err: err}
	}
	text := publicText(err)
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Exists, fault.Conflict, fault.Exhausted:
		return &refusal{code: wire.PreconditionFailed, text: text, err: err}
	case fault.NotFound:
		return &refusal{code: wire.NotFound, text: text, err: err}
	case fault.Denied, fault.Unauthenticated:
		return &refusal{code: wire.AccessRefused, text: text, err: err}
	case fault.KeyUnavailable, fault.Unavailable:
		return &refusal{code: wire.ResourceError, text: text, soft: true, err: err}
	case fault.NotImplemented:
		return &refusal{code: wire.NotImplemented, text: text, err: err}
	}
	return &refusal{code: wire.InternalError, text: "", err: err}
}

// publicText is the part of an error that a client may see.
func publicText(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return ""
}

// hard reports whether the refusal closes the connection.
func (r *refusal) hard() bool { return r.code.Hard() && !r.soft }
