package amqp091

import (
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// lateInterval is how often a connection looks for deliveries that are not settled in
// time, as RabbitMQ's channels do.
const lateInterval = time.Minute

// Timer is an [Engine] that says how long clients may take to settle deliveries.
type Timer interface {
	// ConsumerTimeout gives the time that policies name for a queue with encoded arguments.
	ConsumerTimeout(vhost, queue string, arguments []byte) (limit time.Duration, ok bool)
}

// timeout is how long a delivery of q may stay unsettled: the least of what its
// argument and policies say, else Config.ConsumerTimeout. 0 is for ever.
func (c *conn) timeout(q *broker.Queue) time.Duration {
	spec := q.Spec()
	ms, own := findArgument(spec.Arguments, argConsumerTimeout).Int64()
	limit := time.Duration(ms) * time.Millisecond
	if k, ok := c.engine.(Timer); ok {
		other, ok := k.ConsumerTimeout(c.client.VHost, spec.Name, spec.Arguments)
		if ok && (!own || other < limit) {
			limit, own = other, true
		}
	}
	if !own {
		limit = max(c.srv.cfg.ConsumerTimeout, 0)
	}
	return limit
}

// findLate looks at the oldest unsettled delivery of each channel and lets the reader
// close those that are late. It belongs to the writer. What the process itself consumes
// may wait for another broker for as long as it takes.
func (c *conn) findLate(now time.Time) {
	if c.known != "" {
		return
	}
	c.out.Lock()
	defer c.out.Unlock()
	for _, ch := range c.byID {
		if u := &ch.unacked; u.count > 0 {
			oldest := &u.list[u.head]
			limit := c.timeout(oldest.queue)
			if limit > 0 && now.Sub(time.Unix(0, oldest.at)) >= limit {
				c.late = append(c.late, lateness{ch.id, limit})
			}
		}
	}
	if len(c.late) > 0 {
		c.net.SetReadDeadline(now) // under the lock, so that closeLate takes back this one
	}
}

// lateness is a channel whose client took too long.
type lateness struct {
	channel uint32
	limit   time.Duration
}

// closeLate closes the channels that findLate found and reports whether there were any.
func (c *conn) closeLate() bool {
	c.out.Lock()
	late := c.late
	c.late = nil
	if len(late) > 0 {
		c.deadline = time.Time{}
		c.net.SetReadDeadline(c.deadline)
	}
	c.out.Unlock()
	for _, l := range late {
		for _, ch := range c.channels {
			if ch.id == l.channel && !ch.closing && c.phase == running {
				c.closeChannel(ch, refuse(wire.PreconditionFailed, lateText,
					ch.number, l.limit.Milliseconds()), 0)
			}
		}
	}
	return len(late) > 0
}

// lateText is RabbitMQ's.
const lateText = "delivery acknowledgement on channel %d timed out. " +
	"Timeout value used: %d ms. " +
	"This timeout value can be configured, see consumers doc guide to learn more"

// isLate reports whether there is something for closeLate.
func (c *conn) isLate() bool {
	c.out.Lock()
	defer c.out.Unlock()
	return len(c.late) > 0
}
