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
	label   string
	start   uint32
	current atomic.Pointer[epoch]
	scratch sync.Pool // *[]byte, for associated data

	mu     sync.Mutex
	secret Secret
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
func NewEpochs(secret []byte, label string, start uint32) (*Epochs, error) {
	e := &Epochs{
		label: label, start: start, secret: append(Secret{}, secret...),
		opened: map[uint64]*list.Element{}, order: list.New(),
	}
	e.scratch.New = func() any { return new(make([]byte, 0, 256)) }
	first, err := e.derive(uint64(start) << 32)
	if err != nil {
		return nil, err
	}
	e.current.Store(first)
	return e, nil
}

func (e *Epochs) derive(number uint64) (*epoch, error) {
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
	cur := e.current.Load()
	if cur.seals.Add(1) <= epochSeals && cur.bytes.Add(int64(n)) <= epochBytes {
		return cur, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.current.Load(); now != cur {
		return now, nil // another goroutine was here first
	}
	if uint32(cur.number) == ^uint32(0) {
		return nil, fmt.Errorf("seal: epochs of start %d are used up; restart", e.start)
	}
	next, err := e.derive(cur.number + 1)
	if err != nil {
		return nil, err
	}
	e.current.Store(next)
	return next, nil
}

// find gives the AEAD of any epoch for opening.
func (e *Epochs) find(number uint64) (cipher.AEAD, error) {
	if cur := e.current.Load(); cur.number == number {
		return cur.aead, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if el, ok := e.opened[number]; ok {
		e.order.MoveToFront(el)
		return el.Value.(*epoch).aead, nil
	}
	ep, err := e.derive(number)
	if err != nil {
		return nil, err
	}
	e.opened[number] = e.order.PushFront(ep)
	if e.order.Len() > openEpochs {
		last := e.order.Back()
		delete(e.opened, last.Value.(*epoch).number)
		e.order.Remove(last)
	}
	return ep.aead, nil
}

// Wipe overwrites the secret. The Epochs must not be used afterwards; who
// shares it stops all use first.
func (e *Epochs) Wipe() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secret.Wipe()
	e.opened, e.order = map[uint64]*list.Element{}, list.New()
}

// aad joins the parts in pooled memory; give it back with release.
func (e *Epochs) aad(a, b []byte) *[]byte {
	p := e.scratch.Get().(*[]byte)
	*p = append(append((*p)[:0], a...), b...)
	return p
}

func (e *Epochs) release(p *[]byte) { e.scratch.Put(p) }
