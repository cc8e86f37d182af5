package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"coffer/internal/store"
)

// courier carries the parcels of one outbox of a shard, in order, a page at a time. An
// outbox is for the namespaces that were made in one shard; those that were moved since
// get theirs where they are. It carries only what is durable at the source, and the
// source deletes only what is durable at the target; what comes twice is told by its
// sequence.
type courier struct {
	core     *Core
	from, to *shard
	place    place
	wake     chan struct{} // with room for one

	found uint64 // sequence of the last parcel as of the start
	had   uint64 // as of the start, those up to this were taken

	// The owner's of from.
	next    uint64 // sequence of the next parcel
	started bool

	mu      sync.Mutex
	durable uint64 // parcels up to this are, at the source
	taken   uint64 // those up to this are durable at the target
}

// Bounds of what a courier carries at once.
const (
	courierBytes = 1 << 20 // a larger one goes alone
	courierCount = 256
)

// maxParcels bounds the parcels from one shard to another: at it transactions are
// refused and moves wait. Dead letters do not: they were stored before.
const maxParcels = 1 << 16

// courierTo gives the courier from sh to another shard. For the owner.
func (sh *shard) courierTo(to *shard) *courier { return sh.couriers[to.id-1] }

// backlog gives the parcels that are not taken yet. For the owner of from.
func (c *courier) backlog() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next - 1 - c.taken
}

// carried gives the sequence up to which all parcels are taken.
func (c *courier) carried() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

// send puts a parcel of a namespace into an outbox, in the open batch.
func (sh *shard) send(n *Namespace, to *shard, p *parcel) {
	c := sh.courierTo(to)
	p.sequence = c.next
	if n.sent == nil {
		n.sent = make([]uint64, len(sh.couriers))
	}
	n.sent[to.id-1] = c.next
	if a := p.message.apart; a != nil { // the record stands in the parcel
		if p.message.apart = nil; a.parts > 0 {
			p.message.apart = &apart{id: a.id, parts: a.parts, bytes: a.bytes}
		}
	}
	plain, err := p.append(sh.plain[:0])
	sh.plain = plain
	key := parcelKey(sh.keybuf[:0], to.id, p.sequence)
	if p.message.apart != nil {
		sh.referAt(p.message.apart, key)
	}
	v := append(sh.scratch[:0], 0, 0, 0, 0)
	if err == nil {
		v, err = sh.place.seal(v, key, plain)
	}
	if err != nil {
		sh.fail(fmt.Errorf("seal parcel to shard %d: %w", to.id, err))
		return
	}
	binary.BigEndian.PutUint32(v, uint32(len(v)-valueHeader))
	v = append(v, p.message.Record...)
	sh.batch.Set(key, v)
	if sh.scratch = v; cap(v) > keepScratch {
		sh.scratch = nil
	}
	c.next++
	sh.batch.post(c, p.sequence)
	if !c.started {
		c.started = true
		sh.core.carry(c)
	}
}

// wakeCouriers lets the couriers look for namespaces that were opened or deleted.
func (c *Core) wakeCouriers() {
	for _, sh := range c.shards {
		for _, k := range sh.couriers {
			k.notify()
		}
	}
}

// posted is the parcels up to this one, which wait for a batch.
type posted struct {
	courier  *courier
	sequence uint64
}

func (b *batch) post(c *courier, seq uint64) {
	for i := range b.parcels {
		if b.parcels[i].courier == c {
			b.parcels[i].sequence = seq
			return
		}
	}
	b.parcels = append(b.parcels, posted{c, seq})
}

// announce tells the courier that a parcel is durable.
func (c *courier) announce(seq uint64) {
	c.mu.Lock()
	c.durable = max(c.durable, seq)
	c.mu.Unlock()
	c.notify()
}

func (c *courier) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// carry starts a courier.
func (c *Core) carry(k *courier) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.carriers.Go(func() {
		err := k.run(c.carrying)
		if err != nil && c.carrying.Err() == nil {
			c.cfg.Logger.Error("courier between queue shards failed",
				"from", k.from.id, "to", k.to.id, "err", err)
		}
	})
}

// run carries until ctx ends or a shard fails.
func (c *courier) run(ctx context.Context) error {
	for {
		c.mu.Lock()
		from, to := c.taken+1, c.durable+1
		c.mu.Unlock()
		var list []parcel
		if from < to {
			read, err := c.read(from, to)
			if err != nil {
				return err
			}
			if list, err = c.hand(ctx, read); err != nil {
				return err
			}
		}
		if len(list) == 0 {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		c.mu.Lock()
		c.taken = list[len(list)-1].sequence
		done := request{kind: reqTaken, courier: c, tag: from, n: len(list)}
		for i := range list {
			if a := list[i].message.apart; a != nil {
				done.parts = append(done.parts, carried{list[i].sequence, a})
			}
		}
		c.mu.Unlock()
		if err := c.from.mail.post(done); err != nil {
			return err
		}
	}
}

// hand gives the first of the parcels to where their namespaces lie, and those of them
// that are taken. None is when the first waits for its namespace to be opened, or for the
// end of its move: both wake the courier.
func (c *courier) hand(ctx context.Context, list []parcel) ([]parcel, error) {
	if n := c.had - min(c.had, list[0].sequence-1); n > 0 {
		return list[:min(n, uint64(len(list)))], nil
	}
	at, list := c.destined(list)
	if at == nil {
		return nil, nil
	}
	a := &arrival{outbox: outboxID{c.from.id, c.to.id}, parcels: list}
	answer, err := at.ask(ctx, request{kind: reqArrive, arrival: a})
	return list[:answer.count], err
}

// destined gives the first of the parcels that go to one shard; none when the first must wait.
// What is for a namespace that is gone goes anywhere.
func (c *courier) destined(list []parcel) (at *shard, same []parcel) {
	c.core.mu.Lock()
	defer c.core.mu.Unlock()
	for i := range list {
		id := list[i].namespace
		x, exists := c.core.existing[id]
		if exists && (c.core.namespaces[id] == nil || at != nil && x.at != at) {
			return at, list[:i]
		}
		if exists {
			at = x.at
		} else if at == nil {
			at = c.to
		}
	}
	return at, list
}

// read gives the next parcels.
func (c *courier) read(from, to uint64) (list []parcel, err error) {
	snap := c.from.store.Snapshot()
	it := snap.Iter(parcelKey(nil, c.to.id, from), parcelKey(nil, c.to.id, to))
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	bytes := 0
	for len(list) < courierCount && it.Next() {
		p, err := c.open(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		if bytes += len(it.Value()); p.message.apart != nil {
			bytes += int(p.message.apart.bytes)
		}
		if len(list) > 0 && bytes > courierBytes {
			return list, nil
		}
		if err := p.message.readParts(snap); err != nil {
			return nil, err
		}
		if p.sequence != from+uint64(len(list)) {
			return nil, fmt.Errorf("%w: parcel %d stands in the place of %d", store.ErrDamaged,
				p.sequence, from+uint64(len(list)))
		}
		list = append(list, p)
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: parcel %d is missing", store.ErrDamaged, from)
	}
	return list, nil
}

func (c *courier) open(key, value []byte) (p parcel, err error) {
	_, seq, err := parseParcelKey(key)
	if err != nil {
		return p, err
	}
	box, record, err := splitValue(value)
	if err != nil {
		return p, fmt.Errorf("%w: key %x: %w", store.ErrDamaged, key, err)
	}
	plain, err := c.place.open(nil, key, box)
	if err != nil {
		return p, err
	}
	if p, err = parseParcel(plain, append([]byte(nil), record...)); err != nil {
		return p, fmt.Errorf("%w: key %x: %w", store.ErrDamaged, key, err)
	}
	p.sequence = seq
	return p, nil
}

// openCouriers makes the couriers of all pairs of shards and starts those that
// have something to carry.
func (c *Core) openCouriers() error {
	for _, from := range c.shards {
		first, last, err := from.parcels()
		if err != nil {
			return err
		}
		for i, to := range c.shards {
			k := &courier{core: c, from: from, to: to, wake: make(chan struct{}, 1)}
			k.place = place{platform: from.place.platform, shard: from.id}
			k.had = c.takenOf(outboxID{from.id, to.id})
			k.durable = max(last[i], k.had)
			k.found = k.durable
			k.next, k.taken = k.durable+1, k.durable
			if first[i] != 0 { // what was taken may be among them
				k.taken = first[i] - 1
			}
			from.couriers = append(from.couriers, k)
		}
	}
	for _, from := range c.shards {
		for _, k := range from.couriers {
			if k.started = k.durable > k.taken; k.started {
				c.carry(k)
			}
		}
	}
	return nil
}

// takenOf gives the sequence up to which the parcels of an outbox are taken. Whoever took
// one did so after all before it were taken.
func (c *Core) takenOf(id outboxID) (seq uint64) {
	for _, sh := range c.shards {
		seq = max(seq, sh.taken[id].sequence)
	}
	return seq
}

// parcels gives, for each target, the first and the last sequence of its outbox; 0:
// it is empty.
func (sh *shard) parcels() (first, last []uint64, err error) {
	n := len(sh.core.shards)
	first, last = make([]uint64, n), make([]uint64, n)
	snap := sh.store.Snapshot()
	it := snap.Iter([]byte{byte(classParcel)}, []byte{byte(classParcel) + 1})
	defer func() { err = errors.Join(err, it.Close(), snap.Close()) }()
	for it.Next() {
		to, seq, err := parseParcelKey(it.Key())
		if err != nil {
			return nil, nil, err
		}
		if to < 1 || int(to) > n {
			return nil, nil, fmt.Errorf("%w: parcel to shard %d", store.ErrDamaged, to)
		}
		if i := to - 1; first[i] == 0 {
			first[i] = seq
		}
		last[to-1] = seq
	}
	return first, last, it.Err()
}

// delivered deletes the parcels that the target has.
func (sh *shard) delivered(r *request) {
	to := r.courier.to.id
	for _, p := range r.parts {
		sh.unreferAt(p.apart, parcelKey(sh.keybuf[:0], to, p.sequence))
	}
	lower, upper := parcelKey(nil, to, r.tag), parcelKey(nil, to, r.tag+uint64(r.n))
	sh.batch.DeleteRange(lower, upper)
	for _, q := range sh.blocked {
		sh.touch(q)
	}
	sh.blocked = sh.blocked[:0]
}
