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

// Numbers gives out the numbers of epochs, each once. A number is that of the
// process start (its upper half) and a count within it, so a new start never
// continues an old subkey and no start needs to read what the last one used. It
// is safe for concurrent use.
type Numbers struct {
	start uint32
	count atomic.Uint64 // given out so far
}

// NewNumbers gives the numbers of a process start, which must be durable before
// the call and must never get another Numbers for the same secrets.
func NewNumbers(start uint32) *Numbers { return &Numbers{start: start} }

func (n *Numbers) take() (uint64, error) {
	count := n.count.Add(1) - 1
	if count > 1<<32-1 {
		return 0, fmt.Errorf("seal: epochs of start %d are used up; restart", n.start)
	}
	return uint64(n.start)<<32 | count, nil
}

// Epochs seals under numbered subkeys of one secret. It is safe for concurrent
// use.
type Epochs struct {
	label              string
	maxSeals, maxBytes int64                 // per epoch
	current            atomic.Pointer[epoch] // nil after Wipe
	recent             atomic.Pointer[epoch] // the older one that was opened last
	newest             atomic.Uint64         // the first epoch of the key that seals
	scratch            sync.Pool             // *[]byte, for associated data

	mu      sync.Mutex
	numbers *Numbers
	keys    []Key                    // nil after Wipe
	opened  map[uint64]*list.Element // of *epoch, newest use in front
	order   *list.List
}

// A Key is a secret that serves the epochs from a number on, up to those of the
// next key. The secret is KeySize bytes or more.
type Key struct {
	From   uint64
	Secret Secret
}

type epoch struct {
	number uint64
	aead   cipher.AEAD
	seals  atomic.Int64
	bytes  atomic.Int64
}

// NewEpochs copies secret (KeySize bytes or more). label separates uses of one
// secret; start is the number of this process start, durable before the call.
// A secret that is opened again in the same start needs [NewEpochsFrom].
func NewEpochs(secret []byte, label string, start uint32) (*Epochs, error) {
	return NewEpochsFrom(secret, label, NewNumbers(start))
}

// NewEpochsFrom is NewEpochs that takes its numbers from n, for secrets that are
// opened more than once in a start: were a number used twice, the bounds of its
// subkey would not hold over both uses.
func NewEpochsFrom(secret []byte, label string, n *Numbers) (*Epochs, error) {
	return newEpochs([]Key{{Secret: secret}}, label, n)
}

// NewEpochsOf is NewEpochs for a secret that was replaced: each of keys, which are in
// the order of their numbers and are copied, serves the epochs from its own on.
func NewEpochsOf(keys []Key, label string, start uint32) (*Epochs, error) {
	return newEpochs(keys, label, NewNumbers(start))
}

func newEpochs(keys []Key, label string, n *Numbers) (*Epochs, error) {
	e := &Epochs{
		label: label, maxSeals: epochSeals, maxBytes: epochBytes,
		numbers: n, opened: map[uint64]*list.Element{}, order: list.New(),
	}
	for _, k := range keys {
		e.keys = append(e.keys, Key{k.From, append(Secret{}, k.Secret...)})
		e.newest.Store(k.From)
	}
	e.scratch.New = func() any { return new(make([]byte, 0, 256)) }
	if err := e.roll(nil); err != nil {
		return nil, err
	}
	return e, nil
}

// derive makes the AEAD of an epoch, under mu.
func (e *Epochs) derive(number uint64) (*epoch, error) {
	if e.keys == nil {
		return nil, ErrWiped
	}
	i := len(e.keys) - 1
	for i >= 0 && e.keys[i].From > number {
		i--
	}
	if i < 0 {
		return nil, fmt.Errorf("key of epoch %x is gone: %w", number, ErrOpen)
	}
	salt := binary.BigEndian.AppendUint64(nil, number)
	key, err := derive(e.keys[i].Secret, salt, "coffer/epoch/v1/"+e.label, KeySize)
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
	number, err := e.numbers.take()
	if err != nil {
		return err
	}
	next, err := e.derive(number)
	if err != nil {
		return err
	}
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

// Replace seals under another secret from now on, which is copied: in the epochs of a
// start that no Numbers had for this secret or one before it, and that is durable
// before the call. What was sealed before, and what a call that is inside still seals,
// opens as ever.
func (e *Epochs) Replace(secret []byte, start uint32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	numbers := NewNumbers(start)
	from, err := numbers.take()
	if err != nil {
		return err
	}
	if e.keys == nil {
		return ErrWiped
	}
	if at := e.current.Load(); at.number >= from {
		return fmt.Errorf("seal: start %d is not after epoch %x", start, at.number)
	}
	before := e.keys
	e.keys = append(before[:len(before):len(before)], Key{from, append(Secret{}, secret...)})
	next, err := e.derive(from)
	if err != nil {
		e.keys = before
		return err
	}
	e.numbers = numbers
	e.current.Store(next)
	e.newest.Store(from) // the last, so that who sees it seals with this secret
	return nil
}

// Newest is the first epoch of the secret that seals.
func (e *Epochs) Newest() uint64 { return e.newest.Load() }

// Keep forgets the secrets that served only epochs before from, and wipes them.
func (e *Epochs) Keep(from uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.keys) > 1 && e.keys[1].From <= from {
		e.keys[0].Secret.Wipe()
		e.keys = e.keys[1:]
	}
	e.recent.Store(nil)
	e.opened, e.order = map[uint64]*list.Element{}, list.New()
}

// Wipe overwrites the secret and drops the subkeys; every later call fails with
// ErrWiped. Who shares the Epochs stops all use first: a call that is inside
// when Wipe begins may still finish.
func (e *Epochs) Wipe() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range e.keys {
		k.Secret.Wipe()
	}
	e.keys = nil
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
