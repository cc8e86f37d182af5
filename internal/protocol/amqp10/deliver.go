package amqp10

import (
	"encoding/binary"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/buffer"
	"coffer/internal/protocol/convert"
)

// Bounds of what is opened before it is put into frames.
const (
	parcelBytes = 64 << 10
	parcelCount = 256
	fewEvents   = 4
	manyEvents  = 1024
	keepArena   = parcelBytes
	// maxHeld bounds the octets of deliveries that await credit or a window, but for
	// those that were taken at once with the last that fitted. The broker keeps what
	// comes above it, and what else it has to tell.
	maxHeld = 4 << 20
)

// parcel is an event that is being handled, and its content once opened.
type parcel struct {
	event   *broker.Event // nil: of a delivery that was held
	link    *link         // of a delivery that is to be sent
	held    held
	wait    bool // it cannot go now
	content broker.Content
}

// held is a delivery of a link. One that was begun has some octets sent, and its id.
type held struct {
	delivery broker.Delivery
	sent     int
	id       uint32
}

// handleEvents handles some of what the session has, and reports whether there may
// be more.
func (c *conn) handleEvents() bool {
	c.out.Lock()
	session := c.events
	resumed, held := len(c.resume) > 0, c.heldBytes
	c.out.Unlock()
	if session == nil || c.halted {
		clear(c.list)
		c.list, c.next = c.list[:0], 0
		return false
	}
	if c.next == len(c.list) && !resumed {
		if held > maxHeld {
			return false
		}
		c.list = c.take(session)
		if c.next = 0; len(c.list) == 0 {
			if cap(c.arena) > keepArena {
				c.srv.pool.Put(c.arena)
				c.arena = nil
			}
			return false
		}
	}
	for n := 0; (resumed || c.next < len(c.list)) && n < buffer.Some; resumed = false {
		n += c.handle(session)
	}
	return true
}

// take gets events into a list that grows with what comes at a time.
func (c *conn) take(session *broker.Session) []broker.Event {
	size := max(cap(c.list), fewEvents)
	if len(c.list) == cap(c.list) {
		size = min(2*size, manyEvents)
	}
	clear(c.list)
	if cap(c.list) < size {
		c.list = make([]broker.Event, 0, size)
	}
	return session.Next(c.list[:0])
}

// handle puts the next events into frames: as many as fit the bounds. It gives
// the octets of their contents. Contents are opened without the lock, but the
// reader does not end a link meanwhile.
func (c *conn) handle(session *broker.Session) int {
	size := c.choose()
	if size > 0 {
		c.unseal(size)
	}
	c.out.Lock()
	if size > buffer.Some { // one large message
		c.out.Buf = c.srv.pool.Grow(c.out.Buf, size+size/64)
	}
	for i := range c.parcels {
		c.encode(&c.parcels[i])
	}
	for i := len(c.parcels) - 1; i >= 0; i-- {
		if p := &c.parcels[i]; p.wait {
			c.putBack(p.link, p.held)
		}
	}
	c.tellVerdicts()
	if c.went > 0 {
		c.srv.roster.delivered.Add(c.went)
		c.went = 0
	}
	c.out.Opening = false
	c.out.Unlock()
	c.out.Opened()
	session.Return(c.returns)
	session.Settle(c.settled)
	c.returns, c.settled = c.returns[:0], c.settled[:0]
	clear(c.parcels)
	c.parcels = c.parcels[:0]
	return size
}

// choose makes parcels of held deliveries that may go now and of the next events, and
// gives the size of their contents.
func (c *conn) choose() (size int) {
	c.out.Lock()
	defer c.out.Unlock()
	size = c.chooseHeld()
	for c.next < len(c.list) && len(c.parcels) < parcelCount {
		e := &c.list[c.next]
		if e.Kind != broker.Delivered {
			c.parcels = append(c.parcels, parcel{event: e})
			c.next++
			continue
		}
		if size > 0 && size+e.Delivery.Size > parcelBytes {
			break
		}
		c.next++
		l := c.links[e.Delivery.Consumer]
		switch {
		case l == nil:
			c.returns = append(c.returns, e.Delivery.Ref)
			continue
		case l.detached: // its consumer lives until the client answers
			c.letGo(&held{delivery: e.Delivery})
			continue
		}
		l.asked--
		if l.blocked() {
			l.held = append(l.held, held{delivery: e.Delivery})
			c.heldBytes += len(e.Delivery.Record)
			continue
		}
		l.opening++
		c.parcels = append(c.parcels, parcel{event: e, link: l, held: held{delivery: e.Delivery}})
		size += e.Delivery.Size
	}
	c.out.Opening = size > 0
	return size
}

// chooseHeld makes parcels of held deliveries.
func (c *conn) chooseHeld() (size int) {
	for len(c.resume) > 0 {
		l := c.resume[0]
		for len(l.held) > 0 && !l.detached && l.session.remoteWindow > 0 {
			h := &l.held[0]
			if h.sent == 0 && l.credit == 0 {
				break
			}
			if len(c.parcels) == parcelCount || size > 0 && size+h.delivery.Size > parcelBytes {
				c.out.Notify()
				return size
			}
			if h.sent == 0 {
				l.opening++
			}
			c.parcels = append(c.parcels, parcel{link: l, held: *h})
			size += h.delivery.Size
			c.heldBytes -= len(h.delivery.Record)
			l.held[0] = held{}
			if l.held = l.held[1:]; len(l.held) == 0 {
				l.held = nil
			}
		}
		l.woken = false
		c.resume = c.resume[1:]
	}
	c.resume = nil
	return size
}

// putBack puts a delivery before all that a link holds.
func (c *conn) putBack(l *link, h held) {
	l.held = append([]held{h}, l.held...)
	c.heldBytes += len(h.delivery.Record)
}

// blocked reports whether a new delivery must wait.
func (l *link) blocked() bool {
	return len(l.held) > 0 || l.credit == 0 || l.session.remoteWindow == 0
}

// unseal opens the deliveries among the parcels into the arena.
func (c *conn) unseal(size int) {
	c.arena = c.srv.pool.Grow(c.arena, size)
	used := 0
	for i := range c.parcels {
		p := &c.parcels[i]
		if p.link == nil {
			continue
		}
		d := &p.held.delivery
		var err error
		p.content, err = c.namespace.OpenDelivery(c.arena[used:used:used+d.Size], d)
		used += d.Size
		if err == nil && p.content.Format != ContentFormat {
			p.content, err = convert.To10(p.content)
		}
		if err == nil {
			continue
		}
		c.giveBack(i)
		if k := fault.KindOf(err); k != fault.KeyUnavailable && k != fault.Unavailable {
			c.log.Error("open delivery", "client", c.client, "error", err)
			// The end of the session puts all back; until then nothing comes again.
			c.returns, c.halted = c.returns[:0], true
			r := asRefusal(err)
			r.scope = ConnectionScope
			c.fail(r)
		}
		return
	}
}

// giveBack returns the deliveries from the parcel i on, and all that were taken
// with them or before and wait: later ones must not overtake those that could not be
// opened. One of which a part was sent stays with its link.
func (c *conn) giveBack(i int) {
	c.out.Lock()
	defer c.out.Unlock()
	for j := len(c.parcels) - 1; j >= i; j-- {
		p := &c.parcels[j]
		if p.link == nil {
			continue
		}
		if p.held.sent > 0 {
			c.putBack(p.link, p.held)
		} else {
			p.link.opening--
			c.giveBackOne(p.link, &p.held)
		}
		p.link, p.event = nil, nil
	}
	for _, l := range c.links {
		keep := l.held[:0]
		for k := range l.held {
			if l.held[k].sent > 0 {
				keep = append(keep, l.held[k])
			} else {
				c.giveBackOne(l, &l.held[k])
				c.heldBytes -= len(l.held[k].delivery.Record)
			}
		}
		l.held = keep
	}
	rest := c.list[:c.next]
	for _, e := range c.list[c.next:] {
		if e.Kind != broker.Delivered {
			rest = append(rest, e)
			continue
		}
		c.returns = append(c.returns, e.Delivery.Ref) // its credit comes back
	}
	clear(c.list[len(rest):])
	c.list = rest
}

// giveBackOne returns a delivery; the credit that it took comes back to the broker.
func (c *conn) giveBackOne(l *link, h *held) {
	c.returns = append(c.returns, h.delivery.Ref)
	l.asked++
}

// encode puts one event into the buffer. The caller holds the lock.
func (c *conn) encode(p *parcel) {
	switch {
	case p.link != nil:
		c.deliver(p)
	case p.event == nil: // it went back
	case p.event.Kind == broker.Published:
		c.decided(p.event)
	case p.event.Kind == broker.Cancelled:
		c.cancelled(p.event)
	case p.event.Kind == broker.Drained:
		if l := c.links[p.event.Consumer.Ref()]; l != nil && !l.detached {
			c.reclaimed(l, p.event.Tag)
		}
	}
}

// deliver adds the transfer frames of a message, as many as the window allows.
func (c *conn) deliver(p *parcel) {
	l, h := p.link, &p.held
	s := l.session
	if h.sent == 0 {
		l.opening--
	}
	if l.detached {
		c.letGo(h)
		return
	}
	if s.remoteWindow == 0 || h.sent == 0 && l.credit == 0 {
		p.wait = true
		return
	}
	d := &h.delivery
	head := appendHead(c.head[:0], d, &p.content)
	c.head = head
	t := wire.Transfer{Handle: l.handle}
	if h.sent == 0 {
		if size := uint64(len(head) + len(p.content.Body)); l.maxSize > 0 && size > l.maxSize {
			c.tooLarge(l, h)
			return
		}
		h.id = s.nextDelivery
		s.nextDelivery++
		l.deliveryCount++
		l.credit--
		t.DeliveryID, t.MessageFormat = wire.Some(h.id), wire.Some(uint32(0))
		c.tag = binary.BigEndian.AppendUint32(c.tag[:0], h.id)
		t.DeliveryTag = c.tag
		t.Settled = l.settled
	}
	if h.sent = c.frames(s, &t, head, p.content.Body, h.sent); h.sent > 0 {
		p.wait = true
		return
	}
	span := c.traceDelivery(&p.content)
	if l.settled {
		c.settled = append(c.settled, broker.Settlement{Ref: d.Ref, Outcome: broker.Accept})
		span.Outcome(broker.Accept.String())
	} else {
		s.unsettled.push(unsettledDelivery{h.id, l, d.Ref, span})
	}
	c.went++
	c.ask(l)
	c.finishDrain(l)
}

// frames adds frames of the octets of a message from an offset on and gives the offset
// of what did not fit the window, or 0.
func (c *conn) frames(s *session, t *wire.Transfer, head, body []byte, from int) int {
	total := len(head) + len(body)
	for {
		buf, at := wire.OpenFrame(c.out.Buf, wire.FrameAMQP, s.channel)
		start := len(buf)
		buf = t.Append(buf)
		room := int(c.frameMax) - (len(buf) - at)
		if t.More = total-from > room; t.More {
			buf = t.Append(buf[:start])
			room = int(c.frameMax) - (len(buf) - at)
		}
		end := min(from+room, total)
		if from < len(head) {
			buf = append(buf, head[from:min(end, len(head))]...)
		}
		if end > len(head) {
			buf = append(buf, body[max(from-len(head), 0):end-len(head)]...)
		}
		c.out.Buf = wire.CloseFrame(buf, at)
		s.nextOutgoing++
		s.remoteWindow--
		from = end
		if from == total && !t.More {
			return 0
		}
		if s.remoteWindow == 0 {
			return from
		}
		*t = wire.Transfer{Handle: t.Handle}
	}
}

// tooLarge ends a link whose receiver takes no message of that size. The message
// goes back.
func (c *conn) tooLarge(l *link, h *held) {
	c.letGo(h)
	c.events.AddCredit(l.consumer, -l.asked)
	l.detached = true
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Detach{
		Handle: l.handle, Closed: true,
		Error: encodeError(wire.LinkErrorMessageSizeExceeded,
			"message is larger than max-message-size"),
	})
}

// letGo puts a delivery back without credit for another one.
func (c *conn) letGo(h *held) {
	c.settled = append(c.settled, broker.Settlement{
		Ref: h.delivery.Ref, Outcome: broker.Release,
	})
}

// cancelled ends a link whose queue is gone. The caller holds the lock.
func (c *conn) cancelled(e *broker.Event) {
	l := c.links[e.Consumer.Ref()]
	if l == nil || l.detached {
		return
	}
	condition, text := wire.AmqpErrorResourceDeleted, ""
	if e.Err != nil {
		c.log.Error("consumer ended", "client", c.client, "error", e.Err)
		condition, text = conditionOf(e.Err)
	}
	l.detached = true
	c.out.append(wire.FrameAMQP, l.session.channel, &wire.Detach{
		Handle: l.handle, Closed: true, Error: encodeError(condition, text),
	})
}
