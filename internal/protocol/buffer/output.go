package buffer

import (
	"net"
	"sync"
	"time"
)

// Bounds of what waits to be written, in octets.
const (
	// Some is what a writer gathers before it writes and takes more deliveries.
	Some       = 128 << 10
	fullOutput = 1 << 20   // the reader of a connection waits above it
	keepOutput = 384 << 10 // what an empty buffer keeps of its memory
)

// Output gathers frames for the writer. Its lock also guards what both goroutines of
// a connection know of its channels or links: the order in which frames are appended
// under it is the order on the wire. Fields are guarded by the lock.
type Output struct {
	sync.Mutex
	Buf     []byte
	Opening bool // the writer holds opened deliveries that are not in Buf yet

	room     sync.Cond // the writer took the buffer or finished its deliveries
	broken   bool      // nothing can be written any more
	finished bool      // nothing follows Buf
	wake     chan struct{}
}

// Open prepares an Output, once, before its use.
func (o *Output) Open() {
	o.room.L = &o.Mutex
	o.wake = make(chan struct{}, 1)
}

// Wake gives what the writer waits for.
func (o *Output) Wake() <-chan struct{} { return o.wake }

// Notify wakes the writer. It never blocks.
func (o *Output) Notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Wait returns when Buf is not too full, or nothing will be written. The caller holds
// the lock.
func (o *Output) Wait() {
	for len(o.Buf) > fullOutput && !o.broken {
		o.room.Wait()
	}
}

// Settled waits until no opened deliveries are on their way to Buf. The caller holds
// the lock, and the state is true until it is released.
func (o *Output) Settled() {
	for o.Opening && !o.broken {
		o.room.Wait()
	}
}

// Opened lets those in Settled look again.
func (o *Output) Opened() { o.room.Broadcast() }

// Writable reports whether what is appended now will be written, unless the connection
// breaks. The caller holds the lock.
func (o *Output) Writable() bool { return !o.broken && !o.finished }

// Take swaps Buf with an empty one.
func (o *Output) Take(empty []byte) []byte {
	o.Lock()
	full := o.Buf
	o.Buf = empty
	o.Unlock()
	o.room.Broadcast()
	return full
}

// Finish lets the writer end after what is in Buf.
func (o *Output) Finish() {
	o.Lock()
	o.finished = true
	o.Unlock()
	o.Notify()
}

// Fail ends all waiting.
func (o *Output) Fail() {
	o.Lock()
	o.broken, o.finished, o.Opening = true, true, false
	o.Unlock()
	o.room.Broadcast()
	o.Notify()
}

// Ended reports whether the writer has nothing more to do.
func (o *Output) Ended() bool {
	o.Lock()
	defer o.Unlock()
	return o.broken || o.finished && len(o.Buf) == 0
}

// Write writes b within the timeout.
func Write(conn net.Conn, b []byte, timeout time.Duration) error {
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := conn.Write(b)
	return err
}
