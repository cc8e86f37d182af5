// Package fault names the kinds of failure that a client must be able to tell
// apart. Lower layers return an [Error]; each door maps its Kind to the
// protocol's own code in one table. A failure without a Kind is [Internal]:
// doors answer it without its text.
package fault

import (
	"errors"
	"fmt"
)

// Kind is a class of failure.
type Kind uint8

// The kinds. Their order carries no meaning and their numbers are not stored.
const (
	Internal        Kind = iota // a broken expectation of ours; details stay in the log
	Invalid                     // the request breaks a documented rule
	NotFound                    // the named thing does not exist
	Exists                      // the named thing exists already
	Conflict                    // the state of the thing forbids the operation now
	Denied                      // the caller is known and may not
	Unauthenticated             // the caller is not who it says, or says nothing
	KeyUnavailable              // a KMS key needed for the data cannot be used; nothing is lost
	Exhausted                   // a bound is reached: quota, rate, disk; retry later
	Unavailable                 // a part needed is stopping, starting or lost; retry later
	NotImplemented              // exists in the protocol, not in Coffer
)

var kindNames = [...]string{
	"internal", "invalid", "not found", "exists", "conflict", "denied", "unauthenticated",
	"key unavailable", "exhausted", "unavailable", "not implemented",
}

// String gives the kind's name for logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is a failure with a kind and a text that may be shown to the client.
type Error struct {
	Kind Kind
	Text string // shown to the client: no secret, no internal detail
	Err  error  // the cause, for logs only; may be nil
}

// Error gives the text and the cause.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Text
	case e.Text == "":
		return e.Err.Error()
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error whose text is the formatted string.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...)}
}

// Wrap gives err a kind and a text for clients; err itself stays in logs.
func Wrap(k Kind, err error, text string) *Error {
	return &Error{Kind: k, Text: text, Err: err}
}

// KindOf finds the kind of the first Error in err's chain; else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
