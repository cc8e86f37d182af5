package amqp091

import (
	"net"
	"sync"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// Bounds of what waits to be written, in octets.
const (
	someOutput = 128 << 10 // the writer writes before it takes more deliveries
	fullOutput = 1 << 20   // the reader of a connection waits above it
	keepOutput = 384 << 10 // what an empty buffer keeps of its memory
)

// output gathers frames for the writer. Its lock also guards what both
// goroutines of a connection know of channels and consumers: the order in which
// frames are appended under it is the order on the wire.
type output struct {
	sync.Mutex
	room     sync.Cond // the writer took the buffer or finished its deliveries
	buf      []byte
	opening  bool // the writer holds opened deliveries that are not in buf yet
	broken   bool // nothing can be written any more
	finished bool // nothing follows buf
	wake     chan struct{}
}

func (o *output) open() {
	o.room.L = &o.Mutex
	o.wake = make(chan struct{}, 1)
}

// notify wakes the writer. It never blocks.
func (o *output) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// append adds a method frame; the caller holds the lock and notifies. Methods
// of a server are made of what it has checked, so they always fit a frame.
func (o *output) append(channel uint16, m wire.Method) {
	buf, err := wire.AppendMethod(o.buf, channel, m)
	if err != nil {
		panic("amqp091: " + err.Error())
	}
	o.buf = buf
}

// send adds a method frame. It waits while too much is unwritten.
func (o *output) send(channel uint16, m wire.Method) {
	o.Lock()
	o.append(channel, m)
	o.notify()
	o.wait()
	o.Unlock()
}

// wait returns when the buffer is not too full, or nothing will be written.
func (o *output) wait() {
	for len(o.buf) > fullOutput && !o.broken {
		o.room.Wait()
	}
}

// settled waits until no opened deliveries are on their way to the buffer. The
// caller holds the lock, and the state is true until it is released.
func (o *output) settled() {
	for o.opening && !o.broken {
		o.room.Wait()
	}
}

// take swaps the buffer with an empty one.
func (o *output) take(empty []byte) []byte {
	o.Lock()
	full := o.buf
	o.buf = empty
	o.Unlock()
	o.room.Broadcast()
	return full
}

// finish lets the writer end after what is in the buffer.
func (o *output) finish() {
	o.Lock()
	o.finished = true
	o.Unlock()
	o.notify()
}

// fail ends all waiting.
func (o *output) fail() {
	o.Lock()
	o.broken, o.finished, o.opening = true, true, false
	o.Unlock()
	o.room.Broadcast()
	o.notify()
}

// ended reports whether the writer has nothing more to do.
func (o *output) ended() bool {
	o.Lock()
	defer o.Unlock()
	return o.broken || o.finished && len(o.buf) == 0
}

// write writes b within the timeout.
func write(conn net.Conn, b []byte, timeout time.Duration) error {
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := conn.Write(b)
	return err
}

// recycle gives b's memory for the next buffer, unless it is too much to keep.
func recycle(b []byte) []byte {
	if cap(b) > keepOutput {
		return nil
	}
	return b[:0]
}
