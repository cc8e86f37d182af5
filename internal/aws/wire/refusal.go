package wire

import "coffer/internal/fault"

// refusal is an exception that also has a kind.
type refusal struct {
	text  string
	parts []error
}

// Refuse gives an exception of a model a kind, so that services that call the one which
// refuses need not know its codes. text is what clients see.
func Refuse(kind fault.Kind, text string, exception Fault) error {
	return &refusal{text, []error{exception, fault.New(kind, "%s", text)}}
}

// Error gives the text that clients see.
func (r *refusal) Error() string { return r.text }

// Unwrap gives the exception and the kind.
func (r *refusal) Unwrap() []error { return r.parts }
