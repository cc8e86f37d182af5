package sqs

import (
	"encoding/json"
	"fmt"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/store"
)

// Check compares the rows of this package with each other while all rows of shard 0 are
// read: each must be where it is looked for, and a queue must have a data key. Then it is
// told of the data keys that messages have. The zero value has read nothing.
type Check struct {
	queues []checkedRow[*row]
	keys   []checkedRow[*keyRow]

	realms map[broker.NamespaceID]realmName
	stored map[checkedKey]*checkedUse
}

type checkedKey struct {
	realmName
	number uint32
}

type checkedUse struct {
	spare bool // no queue would go on with it
	used  bool // a message has it
}

type checkedRow[T any] struct {
	id  string
	row T
}

// MACs make the digests of the store.
type MACs interface {
	MAC(label string, parts ...string) []byte
}

// Row takes a row; those of other packages are passed over. id and value may change after
// the call.
func (c *Check) Row(t control.Table, id, value []byte, damaged func(row string, err error)) {
	var err error
	switch t {
	case control.TableSQS:
		var r *row
		if r, err = decodeRow(value); err == nil {
			c.queues = append(c.queues, checkedRow[*row]{string(id), r})
		}
	case control.TableSQSKey:
		k := &keyRow{}
		if err = json.Unmarshal(value, k); err == nil {
			c.keys = append(c.keys, checkedRow[*keyRow]{string(id), k})
		}
	}
	if err != nil {
		damaged(rowName(t, id), fmt.Errorf("%w: %w", store.ErrDamaged, err))
	}
}

func rowName(t control.Table, id []byte) string { return fmt.Sprintf("%s entry %x", t, id) }

// Done tells what the rows say of each other.
func (c *Check) Done(m MACs, damaged func(row string, err error)) {
	tell := func(t control.Table, id, text string) {
		damaged(rowName(t, []byte(id)), fmt.Errorf("%w: %s", store.ErrDamaged, text))
	}
	managed := map[realmName]bool{}
	for _, k := range c.keys {
		if string(keyID(m, k.row)) != k.id {
			tell(control.TableSQSKey, k.id, "the data key is of another account or Region")
			continue
		}
		managed[k.row.realm()] = managed[k.row.realm()] || k.row.Number == managedKey
	}
	for _, q := range c.queues {
		switch a := q.row.address(); {
		case string(rowID(m, a)) != q.id:
			tell(control.TableSQS, q.id, "the queue has another name")
		case !managed[a.realmName]:
			tell(control.TableSQS, q.id, "the queue has no data key")
		}
	}
	c.expect()
}

// expect gets ready for what messages say of the rows.
func (c *Check) expect() {
	c.realms = map[broker.NamespaceID]realmName{}
	present := map[keyUse]bool{}
	for _, q := range c.queues {
		a := q.row.address()
		c.realms[q.row.namespace()] = a.realmName
		present[keyUse{a.arn(), q.row.rules.key}] = true
	}
	newest := map[keyUse]uint32{}
	for _, k := range c.keys {
		newest[k.row.use()] = max(newest[k.row.use()], k.row.Number)
	}
	c.stored = map[checkedKey]*checkedUse{}
	for _, k := range c.keys {
		use := k.row.use()
		c.stored[checkedKey{k.row.realm(), k.row.Number}] = &checkedUse{
			spare: k.row.Number != managedKey &&
				(!present[use] || newest[use] != k.row.Number),
		}
	}
}

// DataKey is told, behind Done, of the data key that a message in a namespace of the broker
// has. The error says that it is not there; namespaces of others are passed over.
func (c *Check) DataKey(in broker.NamespaceID, number uint32) error {
	realm, ok := c.realms[in]
	if !ok {
		return nil
	}
	k := c.stored[checkedKey{realm, number}]
	if k == nil {
		return fmt.Errorf("its data key %d is missing: nothing can open it", number)
	}
	k.used = true
	return nil
}

// Leftover counts, behind all messages, the data keys that nobody needs any more. A
// process removes them.
func (c *Check) Leftover() (n int64) {
	for _, k := range c.stored {
		if k.spare && !k.used {
			n++
		}
	}
	return n
}
