package bench

import "sync/atomic"

// manyConnections is from where on connections share meters and have small buffers.
const manyConnections = 64

// A meter counts what some connections do.
type meter struct {
	published, confirmed, refused, delivered atomic.Int64
	confirm, through                         *latencies
}

type meters []*meter

func newMeters(connections int) meters {
	m := make(meters, min(connections, manyConnections))
	for i := range m {
		m[i] = &meter{confirm: newLatencies(), through: newLatencies()}
	}
	return m
}

// of gives the meter of publisher i, or consumer i.
func (m meters) of(i int) *meter { return m[i%len(m)] }

// counts are sums over all connections.
type counts struct{ published, confirmed, refused, delivered int64 }

func (m meters) counts() (c counts) {
	for _, x := range m {
		c.published += x.published.Load()
		c.confirmed += x.confirmed.Load()
		c.refused += x.refused.Load()
		c.delivered += x.delivered.Load()
	}
	return c
}

// latencies of confirms, and from publisher to consumer.
func (m meters) latencies() (confirm, through Latency) {
	var a, b []*latencies
	for _, x := range m {
		a, b = append(a, x.confirm), append(b, x.through)
	}
	return distribution(a), distribution(b)
}
