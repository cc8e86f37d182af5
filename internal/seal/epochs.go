package seal

import (
	"container/list"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
)

// Bounds of one epoch's subkey. With random 96-bit nonces NIST allows 2^32
// seals; ending at 2^28 keeps the chance of a repeat under 2^-41.
const (
	epochSeals = 1 << 28
	epochBytes = 64 << 30
	openEpochs = 256 // subkeys kept for opening older values
)

// Epochs seals under numbered subkeys of one secret. An epoch is the number of
// the process start (its upper half) and a count within it, so a new start
// never continues an old subkey and no start needs to read what the last one
// used. It is safe for concurrent use.
type Epochs struct {
	label              string
	maxSeals, maxBytes int64                 // per epoch
	current            atomic.Pointer[epoch] // nil after Wipe
	recent             atomic.Pointer[epoch] // the older one that was opened last
	scratch            sync.Pool             // *[]byte, for associated data

	mu     sync.Mutex
	number uint64                   // of the newest epoch
	secret Secret                   // nil after Wipe
	opened map[uint64]*list.Element // of *epoch, newest use in front
	order  *list.List
}

type epoch struct {
	number uint64
	aead   cipher.AEAD
	seals  atomic.Int64
	bytes  atomic.Int64
}

// NewEpochs copies secret (KeySize bytes or more). label separates uses of one
// secret; start is the number of this process start, durable before the call.
// One secret and label need one NewEpochs per start: see [NewEpochsFrom].
func NewEpochs(secret []byte, label string, start uint32) (*Epochs, error) {
	return NewEpochsFrom(secret, label, start, 0)
}

// NewEpochsFrom is NewEpochs for a secret that was open before in this start:
// count must be above the count of [Epochs.Number] of the earlier ones, or the
// bounds of a subkey would not hold over all of its uses.
func NewEpochsFrom(secret []byte, label string, start, count uint32) (*Epochs, error) {
	e := &Epochs{
		label: label, maxSeals: epochSeals, maxBytes: epochBytes,
		number: uint64(start)<<32 | uint64(count), secret: append(Secret{}, secret...),
		opened: map[uint64]*list.Element{}, order: list.New(),
	}
	e.scratch.New = func() any { return new(make([]byte, 0, 256)) }
	first, err := e.derive(e.number)
	if err != nil {
		return nil, err
	}
	e.current.Store(first)
	return e, nil
}

// Number is the newest epoch that was sealed under or may be: the start in the
// upper half, the count in the lower. It stays known after Wipe.
func (e *Epochs) Number() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.number
}

// derive makes the AEAD of an epoch. It needs mu, or an Epochs nobody knows yet.
func (e *Epochs) derive(number uint64) (*epoch, error) {
	if e.secret == nil {
		return nil, ErrWiped
	}
	salt := binary.BigEndian.AppendUint64(nil, number)
	key, err := derive(e.secret, salt, "coffer/epoch/v1/"+e.label, KeySize)
	if err != nil {
		return nil, err
	}
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return &epoch{number: number, aead: a}, nil
}

// use gives the epoch for sealing n more bytes, starting the next one at a bound.
func (e *Epochs) use(n int) (*epoch, error) {
	if int64(n) > e.maxBytes {
		return nil, fmt.Errorf("seal: plaintext of %d bytes, at most %d", n, e.maxBytes)
	}
	for {
		cur := e.current.Load()
		if cur == nil {
			return nil, ErrWiped
		}
		if cur.seals.Add(1) <= e.maxSeals && cur.bytes.Add(int64(n)) <= e.maxBytes {
			return cur, nil
		}
		if err := e.roll(cur); err != nil {
			return nil, err
		}
	}
}

// roll begins the next epoch unless another goroutine did since old.
func (e *Epochs) roll(old *epoch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current.Load() != old {
		return nil
	}
	if uint32(old.number) == ^uint32(0) {
		return fmt.Errorf("seal: epochs of start %d are used up; restart", old.number>>32)
	}
	next, err := e.derive(old.number + 1)
	if err != nil {
		return err
	}
	e.number = next.number
	e.current.Store(next)
	return nil
}

// find gives the AEAD of any epoch for opening.
func (e *Epochs) find(number uint64) (cipher.AEAD, error) {
	if ep := e.current.Load(); ep != nil && ep.number == number {
		return ep.aead, nil
	}
	if ep := e.recent.Load(); ep != nil && ep.number == number {
		return ep.aead, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if el, ok := e.opened[number]; ok {
		e.order.MoveToFront(el)
		ep := el.Value.(*epoch)
		e.recent.Store(ep)
		return ep.aead, nil
	}
	ep, err := e.derive(number)
	if err != nil {
		return nil, err
	}
	e.recent.Store(ep)
	e.opened[number] = e.order.PushFront(ep)
	if e.order.Len() > openEpochs {
		last := e.order.Back()
		delete(e.opened, last.Value.(*epoch).number)
		e.order.Remove(last)
	}
	return ep.aead, nil
}

// Wipe overwrites the secret and drops the subkeys; every later call fails with
// ErrWiped. Who shares the Epochs stops all use first: a call that is inside
// when Wipe begins may still finish.
func (e *Epochs) Wipe() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secret.Wipe()
	e.secret = nil
	e.current.Store(nil)
	e.recent.Store(nil)
	e.opened, e.order = map[uint64]*list.Element{}, list.New()
}

// aad joins the parts in pooled memory; give it back with release.
func (e *Epochs) aad(a, b []byte) *[]byte {
	p := e.scratch.Get().(*[]byte)
	*p = append(append((*p)[:0], a...), b...)
	return p
}

func (e *Epochs) release(p *[]byte) { e.scratch.Put(p) }
