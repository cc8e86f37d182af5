package bench

import "encoding/binary"

// MinSize is the least size of a message in octets: what it says of itself.
const MinSize = 24

// A stamp is what the first octets of a message say.
type stamp struct {
	run  uint32 // tells messages of this run from any other
	lane uint32
	seq  uint64 // within the lane, from 0
	due  int64  // when it was to be sent, in nanoseconds of the run
}

// put writes the stamp over the first octets of b.
func (s *stamp) put(b []byte) {
	binary.LittleEndian.PutUint32(b, s.run)
	binary.LittleEndian.PutUint32(b[4:], s.lane)
	binary.LittleEndian.PutUint64(b[8:], s.seq)
	binary.LittleEndian.PutUint64(b[16:], uint64(s.due))
}

// stampOf reads the stamp of a body of at least MinSize.
func stampOf(b []byte) stamp {
	return stamp{
		run: binary.LittleEndian.Uint32(b), lane: binary.LittleEndian.Uint32(b[4:]),
		seq: binary.LittleEndian.Uint64(b[8:]), due: int64(binary.LittleEndian.Uint64(b[16:])),
	}
}

// A plan says who sends to which queue. A lane is what one publisher sends to one
// queue, or to all of a fan-out: within it order must hold. There are as many as there
// are publishers or queues, whichever is more, dealt out in turn.
type plan struct {
	publishers, queues int
	fanout             bool
}

func (p *plan) lanes() int {
	if p.fanout {
		return p.publishers
	}
	return max(p.publishers, p.queues)
}

// ofPublisher is how many lanes a publisher has: publisher, publisher+publishers and
// so on. It sends on them in turn.
func (p *plan) ofPublisher(publisher int) int {
	return (p.lanes() - publisher + p.publishers - 1) / p.publishers
}

// tagged gives the lane and the place in it of the message that a publisher sent with
// a delivery tag, the first of which is 1.
func (p *plan) tagged(publisher int, tag uint64) (lane int, seq uint64) {
	n := uint64(p.ofPublisher(publisher))
	return publisher + int((tag-1)%n)*p.publishers, (tag - 1) / n
}

// queue is where a lane leads if there is no fan-out.
func (p *plan) queue(lane int) int { return lane % p.queues }

// slot numbers the lanes that lead to a queue; ok is false if the lane does not.
func (p *plan) slot(queue, lane int) (slot int, ok bool) {
	switch {
	case lane >= p.lanes():
		return 0, false
	case p.fanout:
		return lane, true
	}
	return lane / p.queues, p.queue(lane) == queue
}

// slots is how many lanes lead to a queue.
func (p *plan) slots(queue int) int {
	if p.fanout {
		return p.lanes()
	}
	return (p.lanes() - queue + p.queues - 1) / p.queues
}
