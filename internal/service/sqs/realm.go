package sqs

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// realm is the data keys of an account in a Region. Its queues share them: a message
// that goes on to another queue, as a dead letter or by a move, keeps the key with which
// it was sealed.
type realm struct {
	id seal.DomainID

	mu     sync.RWMutex
	keys   map[uint32]*dataKey
	newest map[keyUse]*dataKey // of those that were not retired
	last   uint32              // highest number that a key has or is to have
}

// keyUse is whom a data key was made for: the ARNs of a queue and, as that named it, of
// its KMS key.
type keyUse struct{ queue, named string }

func (k *keyRow) use() keyUse { return keyUse{k.Context, k.Named} }

func newRealm(m MACs, n realmName) *realm {
	return &realm{
		id: seal.DomainID(realmID(m, n)), keys: map[uint32]*dataKey{},
		newest: map[keyUse]*dataKey{},
	}
}

func (r *realm) add(k *dataKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[k.row().Number] = k
	r.last = max(r.last, k.row().Number)
	if old := r.newest[k.row().use()]; old == nil || old.row().Number < k.row().Number {
		r.newest[k.row().use()] = k
	}
}

func (r *realm) remove(k *dataKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, k.row().Number)
}

// retire lets no queue begin to seal with a data key again; false when one does now.
func (r *realm) retire(k *dataKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.users.any() {
		return false
	}
	if r.newest[k.row().use()] == k {
		delete(r.newest, k.row().use())
	}
	return true
}

// next gives a number for another data key.
func (r *realm) next() uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	return r.last
}

// key finds a data key by its number; nil when there is none.
func (r *realm) key(number uint32) *dataKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[number]
}

// sealer is one queue's domain: it seals with the data key that the queue has chosen, and
// opens with that which a record names.
type sealer struct {
	realm *realm
	own   atomic.Pointer[dataKey]
	watch watchers // of the broker
}

var _ broker.Domain = (*sealer)(nil)

// sealer makes the domain of a queue. It seals with the data key that the queue sealed
// with last while it named its KMS key so, else with that of SSE-SQS.
func (r *realm) sealer(use keyUse) *sealer {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.keys[managedKey]
	if use.named != "" {
		own = cmp.Or(r.newest[use], own)
	}
	d := &sealer{realm: r}
	d.own.Store(own)
	own.users.add(d, d.watch.tell)
	return d
}

// choose seals with another data key from now on.
func (d *sealer) choose(k *dataKey) {
	old := d.own.Load()
	if old == k || !d.own.CompareAndSwap(old, k) {
		return
	}
	old.users.remove(d)
	k.users.add(d, d.watch.tell)
	d.watch.tell()
}

// close lets go of the data key.
func (d *sealer) close() { d.own.Load().users.remove(d) }

// ID names the realm: what one of its queues has sealed the others can open.
func (d *sealer) ID() seal.DomainID { return d.realm.id }

// Seal is [broker.Domain]'s.
func (d *sealer) Seal(dst []byte, h seal.Header, plaintext []byte) ([]byte, error) {
	own := d.own.Load()
	h.DataKey = own.row().Number
	return own.domain.Seal(dst, h, plaintext)
}

// Open is [broker.Domain]'s.
func (d *sealer) Open(dst, rec []byte) ([]byte, error) {
	h, err := seal.ParseRecord(rec)
	if err != nil {
		return dst, err
	}
	k := d.realm.key(h.DataKey)
	if k == nil {
		return dst, fault.Wrap(fault.KeyUnavailable, fmt.Errorf("data key %d", h.DataKey),
			"The data key of the message does not exist.")
	}
	return k.domain.Open(dst, rec)
}

// Locked is [broker.Domain]'s. A data key that nobody has asked for locks nothing: the
// next who comes does.
func (d *sealer) Locked() error {
	if err := d.own.Load().domain.Locked(); !errors.Is(err, errIdle) {
		return err
	}
	return nil
}

// Watch is [broker.Domain]'s.
func (d *sealer) Watch(fn func()) { d.watch.add(d, fn) }

// watchers are told of a change. Who is told must not block.
type watchers struct {
	mu  sync.Mutex
	fns map[*sealer][]func()
}

func (w *watchers) add(by *sealer, fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[*sealer][]func(){}
	}
	w.fns[by] = append(w.fns[by], fn)
}

func (w *watchers) remove(by *sealer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.fns, by)
}

func (w *watchers) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.fns) > 0
}

func (w *watchers) tell() {
	w.mu.Lock()
	var all []func()
	for _, fns := range w.fns {
		all = append(all, fns...)
	}
	w.mu.Unlock()
	for _, fn := range all {
		fn()
	}
}
