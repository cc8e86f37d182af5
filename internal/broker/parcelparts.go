package broker

import (
	"errors"
	"fmt"

	"coffer/internal/store"
)

// A parcel of a large message refers to the body, which stays at the source until the
// target has a copy. The target stores the parts first, as a publish does.

// carried is a parcel with parts that the target has.
type carried struct {
	sequence uint64
	apart    *apart
}

// readParts reads the parts of a message, if it has some.
func (m *Message) readParts(snap store.Snapshot) (err error) {
	a := m.apart
	if a == nil {
		return nil
	}
	it := snap.Iter(bodyKey(nil, a.id, 1), bodyKey(nil, a.id, a.parts+1))
	defer func() { err = errors.Join(err, it.Close()) }()
	for i := uint32(1); i <= a.parts; i++ {
		if !it.Next() {
			if err := it.Err(); err != nil {
				return err
			}
			return fmt.Errorf("%w: part %d of message %x is missing", store.ErrDamaged, i, a.id)
		}
		if err := checkPart(it.Value(), a, i); err != nil {
			return fmt.Errorf("%w: part %d of message %x: %w", store.ErrDamaged, i, a.id, err)
		}
		m.Chunks = append(m.Chunks, append([]byte(nil), it.Value()...))
	}
	return nil
}

// insertParts stores the parts of the next message that arrives. It returns false when
// the batch became full before the last one.
func (sh *shard) insertParts(a *arrival, m *Message) (done bool) {
	if len(m.Chunks) == 0 {
		return true
	}
	f := &a.fan
	if !f.begun {
		f.begun = true
		f.body, f.apart = sh.newBody(m, 1)
		m.apart = f.apart
	}
	sh.fan = *f
	done = sh.writeParts(m)
	*f, sh.fan = sh.fan, fan{}
	return done
}
