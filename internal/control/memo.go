package control

import "sync"

// maxMemo bounds the values that a Memo keeps.
const maxMemo = 4096

// Memo keeps what was computed from the control state until anything is committed, so
// that what each request asks is not read, opened and parsed for each. Its zero value is
// empty. It is safe for concurrent use.
type Memo[K comparable, V any] struct {
	mu     sync.RWMutex
	state  uint64
	values map[K]V
}

// Get gives what compute gives in the unit of work tx, perhaps computed in another one
// that saw the same state. The value is shared and must not be changed. compute must
// depend on key and on what it reads in tx alone, not on the time. Its errors are not
// kept.
func (m *Memo[K, V]) Get(tx *Tx, key K, compute func() (V, error)) (V, error) {
	if tx.state == 0 || len(tx.overlay) > 0 {
		return compute()
	}
	m.mu.RLock()
	v, ok := m.values[key]
	ok = ok && m.state == tx.state
	m.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := compute()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state > tx.state {
		return v, nil // others are ahead
	}
	if m.state < tx.state || len(m.values) >= maxMemo {
		m.state, m.values = tx.state, map[K]V{}
	}
	m.values[key] = v
	return v, nil
}
