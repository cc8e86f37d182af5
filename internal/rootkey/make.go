package rootkey

import (
	"context"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Made is a root key that is to be taken into use.
type Made struct {
	Key    seal.Secret
	Header *Header
	// File is where the key has to be written before it is used; "" = nowhere.
	File string
	// Shares have to be shown before the key is used; nil = it is of another kind.
	Shares []seal.Secret
}

// Wipe forgets the secrets.
func (m *Made) Wipe() {
	m.Key.Wipe()
	for _, s := range m.Shares {
		s.Wipe()
	}
}

// Make makes a root key for a source: a new one for a file, or for n shares of which k
// are needed, else what stands in the source.
func (r *Reader) Make(ctx context.Context, s Source, n, k int) (*Made, error) {
	m := &Made{}
	var err error
	switch {
	case s.Kind == Shares && s.Place == "":
		m.Key, m.Header, m.Shares, err = NewShares(n, k)
	case s.Kind == Shares:
		err = fault.New(fault.Invalid, "%s: new shares are made, not read: name shares", s)
	case s.Kind == Passphrase:
		var words seal.Secret
		if words, err = r.Words(ctx, s, true); err == nil {
			m.Key, m.Header, err = NewPassphrase(words)
			words.Wipe()
		}
	case s.Place == File:
		m.File = s.Name
		m.Key, m.Header, err = NewKey()
	default:
		if m.Key, err = r.Key(ctx, s); err == nil {
			m.Header, err = NewHeader(m.Key, nil)
		}
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}
