package wire

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds a credential as it travelled: the response to an authentication
// challenge or a new secret. It prints as "[redacted]" everywhere; its octets
// are reached by slicing or by string(s). It is a copy, so that the receiver
// may clear it.
type Secret []byte

var (
	_ fmt.Formatter  = Secret(nil)
	_ slog.LogValuer = Secret(nil)
)

// String redacts.
func (Secret) String() string { return redacted }

// Format redacts under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue redacts.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON redacts.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
