package wire

import (
	"cmp"
	"strconv"
	"strings"
)

// Error is a fault that stands in no model: what the gateway itself answers,
// such as AccessDeniedException or InvalidSignatureException.
type Error struct {
	Code    string
	Query   string // code in the query protocol, where that is another one
	Status  int    // HTTP status; 500 and above blame the server
	Message string // shown to the client
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Fault gives the code and the status.
func (e *Error) Fault() (code string, status int) { return e.Code, e.Status }

// QueryCode gives the code in the query protocol.
func (e *Error) QueryCode() string { return cmp.Or(e.Query, e.Code) }

// Missing is a request without a member that it needs, as services say it that have
// come from query to JSON: SQS.
func Missing(parameter string) error {
	return &Error{
		Code: "MissingRequiredParameterException", Query: "MissingParameter", Status: 400,
		Message: "The request must contain the parameter " + parameter + ".",
	}
}

// QueryMessenger is implemented by faults of services with two protocols whose text in
// the query protocol is another one.
type QueryMessenger interface {
	QueryMessage() string
}

// Messenger is implemented by faults whose text for the client is not their
// Error text; every generated exception is one.
type Messenger interface {
	// FaultMessage is the text for the client, without the code.
	FaultMessage() string
}

// Violation is a value that breaks a constraint of the model.
type Violation struct {
	Path string // AWS's spelling: tags.1.member.tagKey
	Text string // "Value 'x' at 'path' failed to satisfy constraint: …"
}

// ValidationError lists every constraint a request breaks.
type ValidationError struct {
	// Violations in the order they stand in the request; at most
	// maxViolations are kept.
	Violations []Violation
	Count      int // all of them
	code       string
}

// maxViolations bounds an answer's size: a long list of wrong items is told
// of in part, though counted in full.
const maxViolations = 100

// Error is AWS's text: "2 validation errors detected: …; …".
func (e *ValidationError) Error() string {
	texts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		texts[i] = v.Text
	}
	plural := "s"
	if e.Count == 1 {
		plural = ""
	}
	head := strconv.Itoa(e.Count) + " validation error" + plural + " detected: "
	return head + strings.Join(texts, "; ")
}

// Fault gives the protocol's code and 400: ValidationException (JSON),
// ValidationError (query), BadRequestException (REST JSON).
func (e *ValidationError) Fault() (code string, status int) { return e.code, 400 }

// SerializationError is a request that could not be read at all: not the
// protocol's syntax, or a value of the wrong type.
type SerializationError struct {
	Message string
	code    string
}

// Error gives AWS's text.
func (e *SerializationError) Error() string { return e.Message }

// Fault gives the protocol's code and 400: SerializationException (JSON),
// MalformedInput (query), BadRequestException (REST JSON).
func (e *SerializationError) Fault() (code string, status int) { return e.code, 400 }

// UnknownOperationError is a request that names no operation of the service.
type UnknownOperationError struct {
	Message string
	code    string
	status  int
}

// Error gives AWS's text; it is empty for JSON, as AWS has it.
func (e *UnknownOperationError) Error() string { return e.Message }

// Fault gives the protocol's code and status: UnknownOperationException and
// 400 (JSON) or 404 (REST), InvalidAction or MissingAction and 400 (query).
func (e *UnknownOperationError) Fault() (code string, status int) { return e.code, e.status }

var (
	_ Fault = (*Error)(nil)
	_ Fault = (*ValidationError)(nil)
	_ Fault = (*SerializationError)(nil)
	_ Fault = (*UnknownOperationError)(nil)
	_ Fault = Unimplemented("")

	_ QueryCoder = (*Error)(nil)
)
