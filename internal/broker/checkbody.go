package broker

import (
	"errors"
	"fmt"

	"coffer/internal/seal"
)

// maxChecked bounds the bodies of which a check remembers what it found: above,
// those of which many queues have a message are read again.
const maxChecked = 1 << 16

// bodyCheckpoint is where the walk is among chunks or references.
type bodyCheckpoint struct {
	id    bodyID
	begun bool
	refs  bool // it is among references
	live  bool // one of those leads to an entry
}

// found remembers what was found of a body.
func (c *check) found(id bodyID, err error) {
	if len(c.bodies) >= maxChecked {
		clear(c.bodies)
	}
	c.bodies[id] = err
}

// apart checks what of the message at key lies apart: that it is kept for it, and all
// of its parts. a may be nil.
func (c *check) apart(a *apart, key []byte) error {
	if a == nil {
		return nil
	}
	_, ok, err := c.snap.Get(refKey(nil, a.id, key))
	if err == nil && !ok {
		err = fmt.Errorf("it does not keep the body %x", a.id)
	}
	if err != nil || a.parts == 0 {
		return err
	}
	if err, ok := c.bodies[a.id]; ok {
		return err
	}
	err = c.parts(a)
	c.found(a.id, err)
	return err
}

// parts reads the clear headers of all parts of a message.
func (c *check) parts(a *apart) (err error) {
	_, upper := bodyRange(a.id)
	it := c.snap.Iter(bodyKey(nil, a.id, 1), upper)
	defer func() { err = errors.Join(err, it.Close()) }()
	bytes := int64(0)
	for i := uint32(1); i <= a.parts; i++ {
		if !it.Next() {
			return errors.Join(it.Err(), fmt.Errorf("part %d of %x is missing", i, a.id))
		}
		_, index, err := parseBodyKey(it.Key())
		if err != nil || index != i {
			return fmt.Errorf("part %d of %x is missing", i, a.id)
		}
		if err := checkPart(it.Value(), a, i); err != nil {
			return fmt.Errorf("part %d of %x: %w", i, a.id, err)
		}
		bytes += int64(len(it.Value()))
	}
	if it.Next() {
		return fmt.Errorf("%x has more than %d parts", a.id, a.parts)
	}
	if bytes != a.bytes {
		return fmt.Errorf("parts of %x with %d bytes, not %d", a.id, bytes, a.bytes)
	}
	return it.Err()
}

// chunk checks a chunk of a body, needed or not.
func (c *check) chunk(key, v []byte, what string) (string, error) {
	id, index, err := parseBodyKey(key)
	if err != nil {
		return what, err
	}
	what = fmt.Sprintf("body of message %x, chunk %d", id, index)
	if c.bodies[id] != nil {
		return what, nil // the message told
	}
	if b := &c.body; !b.begun || b.id != id {
		*b = bodyCheckpoint{id: id, begun: true}
		_, ok, err := c.snap.Get(refKey(nil, id, nil))
		if err == nil && !ok {
			err = errors.New("the mark that it is there is missing")
		}
		if err != nil {
			c.report(fmt.Sprintf("body of message %x", id), err)
		}
	}
	h, err := seal.ParseRecord(v)
	if err == nil && (h.ID != id || (h.Flags&seal.FlagPart != 0) != (index > 0) ||
		index > 0 && h.Part != index) {
		err = fmt.Errorf("it is another one: %w", seal.ErrOpen)
	}
	return what, err
}

// reference checks a reference. One that leads nowhere is left over.
func (c *check) reference(key, v []byte) error {
	id, entry, err := parseRefKey(key)
	if err != nil {
		return err
	}
	if b := &c.body; !b.refs || b.id != id {
		c.endBody()
		*b = bodyCheckpoint{id: id, begun: true, refs: true}
	}
	if len(v) > 0 {
		return errors.New("a reference with a value")
	}
	if len(entry) == 0 {
		return nil
	}
	_, ok, err := c.snap.Get(entry)
	if err != nil {
		return err
	}
	if !ok {
		c.sum.Leftover++
	}
	c.body.live = c.body.live || ok
	return nil
}

// endBody counts a body whose references all lead nowhere.
func (c *check) endBody() {
	if c.body.refs && !c.body.live {
		c.sum.Orphans++
	}
	c.body = bodyCheckpoint{}
}
