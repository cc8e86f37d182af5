package broker

import (
	"context"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// SetAlternate changes where messages go on to for which an address has no binding;
// "" is nowhere. It is durable when the address is. Errors: fault.Invalid,
// fault.NotFound.
func (n *Namespace) SetAlternate(ctx context.Context, name, alternate string) error {
	if len(alternate) > MaxName {
		return fault.New(fault.Invalid, "name of alternate is longer than %d bytes", MaxName)
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	c := n.begin()
	old, ok := c.next.addresses.get(c.next.seed, name)
	if !ok {
		return fault.New(fault.NotFound, "no address '%s'", name)
	}
	if old.address.Alternate == alternate {
		return nil
	}
	r := *old
	r.address.Alternate = alternate
	c.next.addresses = c.next.addresses.with(c.next.seed, name, &r)
	if a := &r.address; a.Durable {
		c.row(func(tx *control.Tx) error {
			tx.Put(control.TableAddress, addressRow(n.core.db, n.id, name),
				appendAddressRow(nil, a))
			return nil
		})
	}
	return c.commit(ctx)
}
