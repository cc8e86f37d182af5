package management

import (
	"sync"
	"time"
)

// meters make rates of counters that clients look at: how much a counter grew since the
// look before, if that was long enough ago. Nothing is counted for those who do not look.
type meters struct {
	mu   sync.Mutex
	last map[string]*sample
}

// sample is what a counter was when it was looked at last.
type sample struct {
	at    time.Time
	count int64
	rate  float64
}

const (
	lookEvery  = time.Second     // looks in between see the same rate
	lookLast   = 5 * time.Minute // a counter that nobody looks at is forgotten
	maxSamples = 200_000
)

// rate gives the growth of a counter in a second.
func (m *meters) rate(key string, count int64, now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.last[key]
	if s == nil {
		m.makeRoom(now)
		if m.last == nil {
			m.last = map[string]*sample{}
		}
		m.last[key] = &sample{at: now, count: count}
		return 0
	}
	if passed := now.Sub(s.at); passed >= lookEvery {
		s.rate = float64(count-s.count) / passed.Seconds()
		s.at, s.count = now, count
	}
	return s.rate
}

// makeRoom forgets what nobody looks at when there is much.
func (m *meters) makeRoom(now time.Time) {
	if len(m.last) < maxSamples {
		return
	}
	for key, s := range m.last {
		if now.Sub(s.at) > lookLast {
			delete(m.last, key)
		}
	}
	if len(m.last) >= maxSamples {
		clear(m.last)
	}
}

// count is a counter with its name in answers.
type count struct {
	name string
	n    int64
}

// count puts counters into an object, each with its rate. The key tells whose they are.
func (c *call) count(o object, key string, list ...count) object {
	for _, x := range list {
		o[x.name] = x.n
		o[x.name+"_details"] = c.details(key, x.name, x.n)
	}
	return o
}

// stats are the message_stats of what channels count.
func (c *call) stats(key string, m Counts) object {
	return c.count(object{}, key, append(delivered(&m),
		count{"publish", int64(m.Publish)}, count{"confirm", int64(m.Confirm)},
		count{"return_unroutable", int64(m.ReturnUnroutable)},
		count{"drop_unroutable", int64(m.DropUnroutable)})...)
}

// delivered are the counters of deliveries that queues and channels share.
func delivered(m *Counts) []count {
	return []count{
		{"deliver", int64(m.Deliver)}, {"deliver_no_ack", int64(m.DeliverNoAck)},
		{"get", int64(m.Get)}, {"get_no_ack", int64(m.GetNoAck)},
		{"get_empty", int64(m.GetEmpty)}, {"redeliver", int64(m.Redeliver)},
		{"ack", int64(m.Ack)},
		{"deliver_get", int64(m.Deliver + m.DeliverNoAck + m.Get + m.GetNoAck)},
	}
}

// add sums counters.
func (m *Counts) add(o *Counts) {
	for _, x := range []struct {
		to *uint64
		n  uint64
	}{
		{&m.Publish, o.Publish}, {&m.Confirm, o.Confirm}, {&m.Deliver, o.Deliver},
		{&m.ReturnUnroutable, o.ReturnUnroutable}, {&m.DropUnroutable, o.DropUnroutable},
		{&m.DeliverNoAck, o.DeliverNoAck}, {&m.Get, o.Get}, {&m.GetNoAck, o.GetNoAck},
		{&m.GetEmpty, o.GetEmpty}, {&m.Redeliver, o.Redeliver}, {&m.Ack, o.Ack},
	} {
		*x.to += x.n
	}
}
