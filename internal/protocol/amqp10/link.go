package amqp10

import (
	"errors"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// linkCredit is how many messages a client may send on a link before the broker has
// taken some. It is RabbitMQ's.
const linkCredit = 170

// link is one link. Its fields belong to the reader but for those named.
type link struct {
	session    *session
	handle     uint32
	name       string
	sender     bool // the client sends
	management bool // of the management node

	// Of a client that sends:
	second   bool // it settles when it was told the outcome, and not before
	target   target
	route    route
	assembly assembly
	own      *broker.Queue // made for the link; nil: none

	// Of a client that receives:
	ref      uint64           // unique in the connection
	consumer *broker.Consumer // the reader's
	settled  bool             // messages go settled
	maxSize  uint64           // of a message; 0: any

	// guarded by conn.out:
	detached      bool // detach was sent; nothing but its answer is heard
	deliveryCount uint32
	credit        uint32   // messages that the sender may still send
	unconfirmed   int      // that came and the broker has not decided
	asked         int      // deliveries that the broker may still push
	opening       int      // deliveries among the parcels, whose credit is not yet used
	held          []held   // deliveries that await credit or the window
	woken         bool     // it is in conn.resume
	draining      bool     // the receiver waits to hear that it has all there is
	drained       bool     // the broker has said so
	reclaiming    bool     // the broker was asked to forget its credit
	replies       [][]byte // of the management node, that await credit or the window
	replied       int      // octets of the first that went out
}

// assembly is a message on its way in.
type assembly struct {
	under   bool // the first frame has come
	id      uint32
	settled bool
	body    []byte
}

// grant gives the sender credit when it has used half of it, unless too much is
// undecided or there is no room. The caller holds the lock.
func (c *conn) grant(l *link) {
	if c.full || l.detached || l.credit > linkCredit/2 || l.unconfirmed >= linkCredit {
		return
	}
	l.credit = linkCredit
	c.tellCredit(l, false)
}

// tellCredit sends the state of a link. The caller holds the lock.
func (c *conn) tellCredit(l *link, drain bool) {
	f := l.session.flowFrame()
	f.Handle, f.DeliveryCount = wire.Some(l.handle), wire.Some(l.deliveryCount)
	f.LinkCredit, f.Drain = wire.Some(l.credit), drain
	if !l.sender {
		f.Available = wire.Some(l.available())
	}
	c.out.append(wire.FrameAMQP, l.session.channel, &f)
	c.out.Notify()
}

// available is the number of messages that wait for the link.
func (l *link) available() uint32 {
	if l.consumer == nil {
		return uint32(len(l.replies))
	}
	ready, _, _ := l.consumer.Queue().Counts()
	return uint32(min(max(ready+int64(len(l.held)), 0), 1<<31))
}

// detach answers the end of a link.
func (c *conn) detach(s *session, fields wire.Raw) error {
	var m wire.Detach
	if err := m.Parse(fields); err != nil {
		return err
	}
	l := s.links[m.Handle]
	if l == nil {
		return refuse(SessionScope, wire.SessionErrorUnattachedHandle,
			"Unattached link handle: %d", m.Handle)
	}
	answered := l.detached
	if err := c.release(l); err != nil {
		return err
	}
	if !answered {
		c.out.send(s.channel, &wire.Detach{Handle: m.Handle, Closed: m.Closed})
	}
	return nil
}

// detachLink ends a link for an error of its client, which is told why.
func (c *conn) detachLink(l *link, condition, text string) {
	c.srv.cfg.Events.failed(c.client, &refusal{condition: condition, text: text})
	c.out.Lock()
	defer c.out.Unlock()
	l.detached = true
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Detach{
		Handle: l.handle, Closed: true, Error: encodeError(condition, text),
	})
	c.out.Notify()
}

// release ends a link and puts back what of it the client has not settled.
func (c *conn) release(l *link) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.pending -= len(l.assembly.body)
	l.assembly = assembly{}
	var failed error
	if l.consumer != nil {
		end := c.session.Cancel
		if !l.settled && l.consumer.Queue().Spec().SingleActive {
			end = c.session.Abandon // before another follows
		}
		failed = ignoreGone(end(c.ctx, l.consumer))
	}
	if l.own != nil {
		_, err := c.namespace.DeleteQueue(c.ctx, l.own, false, false)
		failed = errors.Join(failed, ignoreGone(err))
	}
	c.out.Lock()
	c.out.Settled()
	delete(l.session.links, l.handle)
	delete(c.links, l.ref)
	l.detached = true
	c.settles = l.session.unsettled.takeLink(c.settles, l, broker.Release)
	var refs []broker.DeliveryRef
	for i := range l.held {
		refs = append(refs, l.held[i].delivery.Ref)
		c.heldBytes -= len(l.held[i].delivery.Record)
	}
	l.held = nil
	c.out.Notify() // there may be room for what others are to get
	c.out.Unlock()
	if err := c.flush(); failed == nil {
		failed = err
	}
	c.session.Return(refs)
	return failed
}
