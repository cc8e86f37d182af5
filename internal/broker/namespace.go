package broker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// NamespaceID names a namespace for ever; its owner chooses it at random.
type NamespaceID [16]byte

// Domain seals and opens the messages of a namespace; *keyring.Domain is one.
type Domain interface {
	// Seal appends the record of plaintext to dst, or gives the reason why it
	// cannot: an error of kind fault.KeyUnavailable or fault.Unavailable.
	Seal(dst []byte, h seal.Header, plaintext []byte) ([]byte, error)
	// Open appends the plaintext of rec to dst, or fails as Seal does.
	Open(dst, rec []byte) ([]byte, error)
	// Locked is nil while Seal and Open work, else the reason.
	Locked() error
	// Watch registers fn to be called after each change of Locked.
	Watch(fn func())
}

// Namespace is one closed world of names, such as a virtual host: its addresses
// and queues. It lies in one shard. It is safe for concurrent use.
type Namespace struct {
	core     *Core
	id       NamespaceID
	domain   Domain
	shard    *shard
	slot     *shard // parcels to it are in the outboxes for that one
	topology atomic.Pointer[Topology]
	gone     atomic.Bool
	moved    atomic.Bool // to another shard: another Namespace stands for it there
	quota    atomic.Pointer[Quota]
	usage    usage
	counts   namespaceCounts

	mu sync.Mutex // one change of the topology at a time, until it is durable
	// install is held with mu while a change is made visible, and alone by those who
	// look at sources without waiting for what is under way.
	install sync.Mutex
	ends    map[*Queue]map[bindingKey]*binding
	sources map[string]map[*binding]struct{}
	ways    map[way]int       // bindings that lead there
	posts   map[string]*Queue // signposts, by the names of their addresses

	// The shard's owner's.
	locked bool // the domain is
	clock  clock
	sent   []uint64 // by slot: sequence of its last parcel
}

// ID names the namespace.
func (n *Namespace) ID() NamespaceID { return n.id }

// Locked is nil when messages can be sealed and opened, else the reason.
func (n *Namespace) Locked() error { return n.domain.Locked() }

// Topology is the present snapshot.
func (n *Namespace) Topology() *Topology { return n.topology.Load() }

// AwaitChange waits for changes of the topology that are under way: a queue that is
// being deleted is not in the one after it.
func (n *Namespace) AwaitChange() {
	n.mu.Lock()
	defer n.mu.Unlock()
}

// CreateNamespace makes the namespace durable and gives it a shard. It joins
// the unit of work in ctx. Creating an existing one changes nothing.
func (c *Core) CreateNamespace(ctx context.Context, id NamespaceID) error {
	return c.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		row := namespaceRow(id)
		_, ok, err := tx.Get(control.TableBrokerMeta, row)
		if err != nil || ok {
			return err
		}
		count, err := tx.Next(control.TableBrokerMeta, []byte("c"))
		if err != nil {
			return err
		}
		sh := c.shards[(count-1)%uint64(len(c.shards))]
		tx.Put(control.TableBrokerMeta, row, placing{sh.id, sh.id}.append(nil))
		tx.After(func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.existing[id] = location{sh, sh}
		})
		return nil
	})
}

// DeleteNamespace deletes the namespace and all in it. It joins the unit of
// work in ctx; when that commits, its consumers end and publishes to its queues
// count as unrouted. A missing one is fault.NotFound, one that is being moved to another
// shard fault.Conflict.
func (c *Core) DeleteNamespace(ctx context.Context, id NamespaceID) error {
	return c.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		at, ok, err := c.locate(tx, id)
		if err != nil {
			return err
		}
		if !ok {
			return namespaceGone()
		}
		if moving, err := beingMoved(tx, id); err != nil || moving {
			return cmp.Or(err, beingMovedError())
		}
		var ids []queueID
		tables := [...]control.Table{control.TableQueue, control.TableAddress, control.TableBinding}
		for _, t := range tables {
			err := tx.Scan(t, id[:], func(row, _ []byte) error {
				if t == control.TableQueue && len(row) == len(id)+8 {
					ids = append(ids, queueID(binary.BigEndian.Uint64(row[len(id):])))
				}
				tx.Delete(t, bytes.Clone(row))
				return nil
			})
			if err != nil {
				return err
			}
		}
		tx.Delete(control.TableBrokerMeta, namespaceRow(id))
		tx.Delete(control.TableBrokerMeta, quotaRow(id))
		tx.After(func() {
			c.mu.Lock()
			n := c.namespaces[id]
			delete(c.namespaces, id)
			delete(c.existing, id)
			c.mu.Unlock()
			c.wakeCouriers()
			if n != nil {
				n.gone.Store(true)
			}
			at.at.mail.urgent(request{kind: reqForget, ns: n, namespace: id, ids: ids})
		})
		return nil
	})
}

// OpenNamespace loads the topology of a namespace whose creation is durable.
// Opening it again gives the first one. It waits while the namespace is being moved to
// another shard. A missing one is fault.NotFound.
func (c *Core) OpenNamespace(id NamespaceID, d Domain) (*Namespace, error) {
	n, err := c.enterOpening(id)
	if err != nil {
		return nil, fmt.Errorf("open namespace %x: %w", id, err)
	}
	defer c.opening.Unlock()
	if n != nil {
		return n, nil
	}
	n = &Namespace{
		core: c, id: id, domain: d,
		ends: map[*Queue]map[bindingKey]*binding{}, sources: map[string]map[*binding]struct{}{},
		ways: map[way]int{}, posts: map[string]*Queue{},
	}
	n.topology.Store(&Topology{seed: maphash.MakeSeed()})
	err = c.db.View(context.Background(), func(_ context.Context, tx *control.Tx) (err error) {
		at, ok, err := c.locate(tx, id)
		if err != nil {
			return err
		}
		if !ok {
			return namespaceGone()
		}
		n.shard, n.slot = at.at, at.slot
		if n.clock, err = n.shard.loadClock(id); err != nil {
			return err
		}
		if err := n.loadQuota(tx); err != nil {
			return err
		}
		return n.load(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("open namespace %x: %w", id, err)
	}
	c.mu.Lock()
	c.namespaces[id] = n
	c.mu.Unlock()
	changed := func() { n.shard.mail.urgent(request{kind: reqLock, ns: n}) }
	d.Watch(changed)
	changed()
	c.wakeCouriers()
	return n, nil
}

// enterOpening gives the namespace if it is open, and takes the turn to open it, which
// the caller gives back. It waits for the end of a move.
func (c *Core) enterOpening(id NamespaceID) (*Namespace, error) {
	for {
		c.opening.Lock()
		c.mu.Lock()
		n, r := c.namespaces[id], c.moving[id]
		c.mu.Unlock()
		if n != nil || r == nil {
			return n, nil
		}
		c.opening.Unlock()
		if <-r.done; r.err != nil {
			return nil, r.err
		}
	}
}

// load reads the rows of the namespace.
func (n *Namespace) load(tx *control.Tx) error {
	c := n.begin()
	queues := map[queueID]*Queue{}
	err := tx.Scan(control.TableQueue, n.id[:], func(row, v []byte) error {
		spec, err := parseQueueRow(v)
		if err != nil {
			return err
		}
		q := newQueue(n, spec)
		q.id = queueID(binary.BigEndian.Uint64(row[len(n.id):]))
		if err := n.core.restore(q); err != nil {
			return err
		}
		if err := q.loadIDs(); err != nil {
			return err
		}
		q.show(0)
		queues[q.id] = q
		c.next.count++
		c.next.queues = c.next.queues.with(c.next.seed, spec.Name, q)
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Scan(control.TableAddress, n.id[:], func(_, v []byte) error {
		a, err := parseAddressRow(v)
		a.Memo, a.Counts = new(Memo), new(AddressCounts)
		c.next.addresses = c.next.addresses.with(c.next.seed, a.Name, &route{address: a})
		return err
	})
	if err != nil {
		return err
	}
	err = tx.Scan(control.TableBinding, n.id[:], func(_, v []byte) error {
		id, onward, key, err := parseBindingRow(v)
		if err != nil {
			return err
		}
		q := queues[id]
		if onward != "" {
			q, _ = c.end(&Binding{Address: onward})
		}
		r, ok := c.next.addresses.get(c.next.seed, key.source)
		if q == nil || !ok {
			return fmt.Errorf("%w: binding without an end", store.ErrDamaged)
		}
		b := newBinding(key, q, true, r.address.Kind)
		old := func() []*binding { return n.boundTo(q, key.source) }
		r = r.with(&c.next, b, old)
		n.index(b)
		c.next.addresses = c.next.addresses.with(c.next.seed, key.source, r)
		return nil
	})
	n.topology.Store(&c.next)
	return err
}
