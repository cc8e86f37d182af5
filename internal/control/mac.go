package control

import (
	"sync"

	"coffer/internal/seal"
)

// macs keeps the derived key of every label: deriving costs ten digests.
type macs struct {
	secret seal.Secret

	mu   sync.RWMutex
	keys map[string]*seal.MACKey // by label
}

// MAC gives [seal.MACSize] bytes that stand for the parts in a store key without
// showing them. label keeps uses apart; it is a constant of the caller, for its
// key is kept.
func (db *DB) MAC(label string, parts ...string) []byte {
	return db.macs.key(label).Sum(parts...)
}

func (m *macs) key(label string) *seal.MACKey {
	m.mu.RLock()
	k := m.keys[label]
	m.mu.RUnlock()
	if k != nil {
		return k
	}
	k, err := seal.NewMACKey(m.secret, label)
	if err != nil {
		panic(err) // the secret's length was checked in Open
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[string]*seal.MACKey{}
	}
	m.keys[label] = k
	return k
}
