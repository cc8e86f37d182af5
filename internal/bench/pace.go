package bench

import "math"

// A pace says when the messages of one publisher are due, in nanoseconds of the run.
// Its zero value is as fast as possible.
type pace struct {
	begin    int64
	interval float64 // between two messages
}

// newPace deals a rate out to publishers, one after another.
func newPace(begin int64, perSecond float64, publisher, publishers int) pace {
	if perSecond == 0 {
		return pace{}
	}
	each := 1e9 / perSecond
	return pace{begin + int64(each*float64(publisher)), each * float64(publishers)}
}

// due is how many messages are due up to now.
func (p pace) due(now int64) int64 {
	if p.interval == 0 {
		return math.MaxInt64
	}
	if now < p.begin {
		return 0
	}
	n := int64(float64(now-p.begin)/p.interval) + 1
	for p.time(n) <= now { // rounding
		n++
	}
	return n
}

// time is when message n is due, the first of which is 0; 0 when it may go at once.
func (p pace) time(n int64) int64 {
	if p.interval == 0 {
		return 0
	}
	return p.begin + int64(float64(n)*p.interval)
}
