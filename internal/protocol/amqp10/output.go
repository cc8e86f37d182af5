package amqp10

import (
	"net"
	"sync"
	"time"

	"coffer/internal/protocol/amqp10/wire"
)

// Bounds of what waits to be written, in octets.
const (
	someOutput = 128 << 10 // the writer writes before it takes more deliveries
	fullOutput = 1 << 20   // the reader of a connection waits above it
	keepOutput = 384 << 10 // what an empty buffer keeps of its memory
)

// output gathers frames for the writer. Its lock also guards what both
// goroutines of a connection know of sessions and links: the order in which
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

// performative is the body of a frame.
type performative interface{ Append(dst []byte) []byte }

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

// append adds a frame; the caller holds the lock and notifies.
func (o *output) append(t wire.FrameType, channel uint16, p performative) {
	buf, at := wire.OpenFrame(o.buf, t, channel)
	o.buf = wire.CloseFrame(p.Append(buf), at)
}

// send adds a frame. It waits while too much is unwritten.
func (o *output) send(channel uint16, p performative) {
	o.Lock()
	o.append(wire.FrameAMQP, channel, p)
	o.notify()
	o.wait()
	o.Unlock()
}

// raw adds octets that are no frame, or whole ones.
func (o *output) raw(b string) {
	o.Lock()
	o.buf = append(o.buf, b...)
	o.notify()
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

// writeAll writes b within the timeout.
func writeAll(conn net.Conn, b []byte, timeout time.Duration) error {
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
