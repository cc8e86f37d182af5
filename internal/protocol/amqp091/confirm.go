package amqp091

import "coffer/internal/protocol/amqp091/wire"

// Tags of publishings are the id of the channel within its connection and the
// lower bits of the sequence number, so that a confirm which comes after its
// channel was closed, and the number opened again, is not taken for another's.
const (
	sequenceBits = 40
	sequenceMask = 1<<sequenceBits - 1
)

func joinTag(id uint32, seq uint64) uint64 { return uint64(id)<<sequenceBits | seq&sequenceMask }

func splitTag(tag uint64) (id uint32, seq uint64) {
	return uint32(tag >> sequenceBits), tag & sequenceMask
}

// verdict is what became of a publish that awaits its confirm.
type verdict uint8

const (
	undecided verdict = iota
	accepted
	rejected
)

// confirms are the publishes of a channel in confirm mode that the client has
// not heard of yet. It hears in the order in which it published, so that one
// ack speaks for all up to it.
type confirms struct {
	told    uint64    // the last sequence number that the client heard of
	waiting []verdict // of those after it
	touched bool      // in the writer's list of channels to tell
	acked   uint64    // of those it heard of
}

// expect adds the next sequence number.
func (c *confirms) expect(v verdict) { c.waiting = append(c.waiting, v) }

// settle decides a publish, by the lower bits of its sequence number.
func (c *confirms) settle(seq uint64, ok bool) {
	i := (seq - c.told - 1) & sequenceMask
	if i >= uint64(len(c.waiting)) {
		return
	}
	c.waiting[i] = rejected
	if ok {
		c.waiting[i] = accepted
	}
}

// tell appends the frames for all that is decided up to the first that is not.
func (c *confirms) tell(dst []byte, channel uint16) []byte {
	c.touched = false
	n := 0
	for n < len(c.waiting) && c.waiting[n] != undecided {
		run := n
		for run < len(c.waiting) && c.waiting[run] == c.waiting[n] {
			run++
		}
		last, multiple := c.told+uint64(run), run-n > 1
		if c.waiting[n] == accepted {
			dst = wire.AppendAck(dst, channel, last, multiple)
			c.acked += uint64(run - n)
		} else {
			dst = wire.AppendNack(dst, channel, last, multiple, false)
		}
		n = run
	}
	c.told += uint64(n)
	c.waiting = c.waiting[:copy(c.waiting, c.waiting[n:])]
	return dst
}

// ready reports whether there is something to tell.
func (c *confirms) ready() bool { return len(c.waiting) > 0 && c.waiting[0] != undecided }
