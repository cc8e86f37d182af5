package sigv4

import "log/slog"

const redacted = "[redacted]"

// Secret is a secret access key. However it is printed, logged or encoded, it
// shows "[redacted]"; [Secret.Reveal] is the only way to the key.
type Secret struct{ key string }

// NewSecret wraps a key.
func NewSecret(key string) Secret { return Secret{key} }

// Reveal gives the key itself.
func (s Secret) Reveal() string { return s.key }

// String hides the key.
func (s Secret) String() string { return redacted }

// GoString hides the key.
func (s Secret) GoString() string { return redacted }

// LogValue hides the key.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key, and so does JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
