package seal

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is key material that never prints itself, whatever the verb. One limit
// is Go's: fmt cannot call methods of a value in an unexported field, so print
// no struct that holds one there.
type Secret []byte

const redacted = "[secret]"

// Format redacts for every verb of fmt.
func (Secret) Format(f fmt.State, _ rune) {
	io.WriteString(f, redacted)
}

// String redacts.
func (Secret) String() string { return redacted }

// GoString redacts.
func (Secret) GoString() string { return redacted }

// LogValue redacts.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON redacts.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText redacts, for encoders other than JSON's.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Wipe overwrites the bytes; copies that others made stay.
func (s Secret) Wipe() { clear(s) }
