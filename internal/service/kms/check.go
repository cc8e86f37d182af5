package kms

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Check compares the rows of this package with each other while all rows of shard
// 0 are read: what names a key or grant must name one that is there, what is said
// twice must agree, and each index must be whole. The zero value has read nothing.
type Check struct {
	keys    map[keyID]*key
	aliases map[string]*alias
	grants  map[string]*grant
	rows    map[control.Table]map[string][]byte // of other tables, by id
	granted map[keyID]int
}

// Row takes a row; those of other packages are passed over. id and value may
// change after the call.
func (c *Check) Row(t control.Table, id, value []byte, damaged func(row string, err error)) {
	if c.keys == nil {
		c.keys, c.aliases, c.grants = map[keyID]*key{}, map[string]*alias{}, map[string]*grant{}
		c.rows = map[control.Table]map[string][]byte{}
		c.granted = map[keyID]int{}
	}
	var err error
	switch t {
	case control.TableKey:
		err = c.key(id, value)
	case control.TableAlias:
		var a *alias
		if a, err = parseAlias(value); err == nil {
			c.aliases[string(id)] = a
		}
	case control.TableGrant:
		err = c.grant(id, value)
	case control.TableMaterial, control.TableRotation, control.TableGrantIndex,
		control.TableKeyUse:
		if t == control.TableMaterial {
			value = nil // secrets are not kept
		}
		if c.rows[t] == nil {
			c.rows[t] = map[string][]byte{}
		}
		c.rows[t][string(id)] = slices.Clone(value)
	}
	if err != nil {
		damaged(rowName(t, id), fmt.Errorf("%w: %w", store.ErrDamaged, err))
	}
}

func rowName(t control.Table, id []byte) string { return fmt.Sprintf("%s entry %x", t, id) }

// key takes a row of a key; its lists and the agenda are compared in the end.
func (c *Check) key(id, value []byte) error {
	if len(id) == 0 || id[0] != keyByID {
		if c.rows[control.TableKey] == nil {
			c.rows[control.TableKey] = map[string][]byte{}
		}
		c.rows[control.TableKey][string(id)] = nil
		return nil
	}
	k := &key{}
	if err := decode(value, k); err != nil {
		return err
	}
	at, err := uuid.Parse(k.ID)
	if err != nil || k.Version != rowVersion || string(keyRow(at)) != string(id) {
		return errors.New("not the key of this place")
	}
	c.keys[at] = k
	return nil
}

func (c *Check) grant(id, value []byte) error {
	g, err := parseGrant(value)
	if err != nil {
		return err
	}
	if string(grantRow(g.keyID(), g.id())) != string(id) {
		return errors.New("not the grant of this place")
	}
	c.grants[string(id)] = g
	c.granted[g.keyID()]++
	return nil
}

// Done compares what was read. What does not agree goes to damaged.
func (c *Check) Done(m macs, damaged func(row string, err error)) {
	tell := func(t control.Table, id []byte, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		damaged(rowName(t, id), fmt.Errorf("%w: %s", store.ErrDamaged, text))
	}
	for _, id := range slices.SortedFunc(maps.Keys(c.keys), compareIDs) {
		c.wholeKey(m, id, tell)
	}
	for _, row := range slices.Sorted(maps.Keys(c.aliases)) {
		a := c.aliases[row]
		id, err := uuid.Parse(a.Key)
		k := c.keys[id]
		if err != nil || k == nil || !slices.Contains(k.Aliases, a.Name) ||
			string(aliasRow(m, k.Account, k.Region, a.Name)) != row {
			tell(control.TableAlias, []byte(row), "no key has this alias")
		}
	}
	for _, row := range slices.Sorted(maps.Keys(c.grants)) {
		c.wholeGrant(m, []byte(row), tell)
	}
	for _, t := range slices.Sorted(maps.Keys(c.rows)) {
		for _, row := range slices.Sorted(maps.Keys(c.rows[t])) {
			if !c.left(t, row) {
				tell(t, []byte(row), "it is of nothing that is there")
			}
		}
	}
}

func compareIDs(a, b keyID) int { return slices.Compare(a[:], b[:]) }

// teller reports a row.
type teller func(t control.Table, id []byte, format string, args ...any)

// take removes a row that is accounted for and reports whether it was there.
func (c *Check) take(t control.Table, row []byte) bool {
	_, ok := c.rows[t][string(row)]
	delete(c.rows[t], string(row))
	return ok
}

// wholeKey compares a key with what belongs to it.
func (c *Check) wholeKey(m macs, id keyID, tell teller) {
	k := c.keys[id]
	row := keyRow(id)
	if n := c.granted[id]; n != k.Grants {
		tell(control.TableKey, row, "it counts %d grants, and has %d", k.Grants, n)
	}
	if !k.Due.Equal(k.due()) || !k.Due.IsZero() && !c.take(control.TableKey, agendaRow(k.Due, id)) {
		tell(control.TableKey, row, "it is not on the agenda where it should be")
	}
	if k.Material == "" && k.State == statePending {
		return // it is being swept
	}
	listed := append([]byte{keyByScope}, scope(m, k.Account, k.Region)...)
	if !c.take(control.TableKey, append(listed, id[:]...)) {
		tell(control.TableKey, row, "it is not in the list of its account")
	}
	if !c.has(id, k.Material) {
		tell(control.TableKey, row, "its material is not there")
	}
	for _, name := range k.Aliases {
		a := c.aliases[string(aliasRow(m, k.Account, k.Region, name))]
		if a == nil || a.Key != k.ID {
			tell(control.TableKey, row, "its alias %s is not there", name)
		}
	}
	if k.Rotations > 0 {
		c.wholeRotations(k, id, tell)
	}
}

// has reports whether a key has this material.
func (c *Check) has(id keyID, material string) bool {
	m, err := hex.DecodeString(material)
	_, ok := c.rows[control.TableMaterial][string(append(id[:], m...))]
	return err == nil && len(m) == 32 && ok
}

// wholeRotations compares a key that was rotated with its history.
func (c *Check) wholeRotations(k *key, id keyID, tell teller) {
	for n := range k.Rotations + 1 {
		row := turnRow(id, n)
		value, ok := c.rows[control.TableRotation][string(row)]
		delete(c.rows[control.TableRotation], string(row))
		r, err := parseTurn(value)
		switch {
		case !ok || err != nil:
			tell(control.TableKey, keyRow(id), "its rotation %d is not there", n)
		case !c.has(id, r.Material):
			tell(control.TableRotation, row, "its material is not there")
		case n == k.Rotations && r.Material != k.Material:
			tell(control.TableRotation, row, "the key has other material since")
		}
	}
}

// wholeGrant compares a grant with its key and indexes.
func (c *Check) wholeGrant(m macs, row []byte, tell teller) {
	g := c.grants[string(row)]
	key, id, p := g.keyID(), g.id(), g.policy()
	if c.keys[key] == nil {
		tell(control.TableGrant, row, "its key is not there")
	}
	byGrantee := append(granteePrefix(m, key, p.Grantee), id[:]...)
	says := c.rows[control.TableGrantIndex][string(byGrantee)]
	if len(says) > 0 && !bytes.Equal(says, g.operations()) {
		tell(control.TableGrantIndex, byGrantee, "the grant has other operations")
	}
	if !c.take(control.TableGrantIndex, byGrantee) {
		tell(control.TableGrant, row, "it is not found by its grantee")
	}
	byRetiring := append(retiringPrefix(m, g.Region, p.Retiring), row...)
	if p.Retiring != "" && !c.take(control.TableGrantIndex, byRetiring) {
		tell(control.TableGrant, row, "it is not found by its retiring principal")
	}
	named := c.rows[control.TableGrantIndex][string(g.nameRow(m))]
	if g.Name != "" && string(named) == string(id[:]) {
		c.take(control.TableGrantIndex, g.nameRow(m))
	}
}

// left reports whether a row that is left is of something that is there.
func (c *Check) left(t control.Table, row string) bool {
	of := func(at int) bool {
		return len(row) >= at+16 && c.keys[keyID([]byte(row[at:at+16]))] != nil
	}
	switch t {
	case control.TableMaterial:
		return of(0)
	case control.TableKeyUse:
		switch {
		case row == string([]byte{useTimes}):
			return true
		case row[0] == useOfGrant:
			return c.grants[row[1:]] != nil
		}
		return row[0] == useOfKey && of(1)
	}
	return false
}
