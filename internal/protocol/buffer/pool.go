package buffer

import "sync"

// Sizes of what a [Pool] lends, in octets.
const (
	smallest = 64 << 10 // what is smaller is left to the garbage collector
	rounding = 64 << 10 // sizes are rounded up, so that they fit others
)

// Pool lends memory to connections for what is large and soon over: a body in many
// frames, deliveries on their way to the socket. An idle connection keeps none of it, and
// what nobody wants for a while is freed. The zero value is empty. It is for any number
// of goroutines.
type Pool struct{ free sync.Pool } // of *[]byte

// Grow gives b with room for n more octets. b itself is not to be used any more.
func (p *Pool) Grow(b []byte, n int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b
	}
	var more []byte
	if need >= smallest {
		if f, ok := p.free.Get().(*[]byte); ok && cap(*f) >= need {
			more = (*f)[:0]
		} else {
			need += -need & (rounding - 1)
		}
	}
	if more == nil {
		more = make([]byte, 0, need)
	}
	more = append(more, b...)
	p.Put(b)
	return more
}

// Put gives b's memory back. Nothing may refer to it.
func (p *Pool) Put(b []byte) {
	if cap(b) >= smallest {
		p.free.Put(&b)
	}
}

// Recycle gives b's memory for the next buffer of the same connection, unless it is too
// much to keep.
func (p *Pool) Recycle(b []byte) []byte {
	if cap(b) > keepOutput {
		p.Put(b)
		return nil
	}
	return b[:0]
}
