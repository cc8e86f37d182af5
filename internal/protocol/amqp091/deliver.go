package amqp091

import (
	"encoding/binary"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
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
)

// parcel is an event that is being handled, and its content once opened.
type parcel struct {
	event    *broker.Event
	consumer *consumer // of a delivery that is to be sent
	content  broker.Content
}

// events handles some of what the session has, and reports whether there may
// be more.
func (c *conn) events() bool {
	c.out.Lock()
	session := c.live
	c.out.Unlock()
	if session == nil || c.halted {
		clear(c.list)
		c.list, c.next = c.list[:0], 0
		return false
	}
	if c.next == len(c.list) {
		c.list = c.take(session)
		if c.next = 0; len(c.list) == 0 {
			if cap(c.arena) > keepArena {
				c.srv.pool.Put(c.arena)
				c.arena = nil
			}
			return false
		}
	}
	for n := 0; c.next < len(c.list) && n < buffer.Some; {
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
// reader does not end a consumer meanwhile.
func (c *conn) handle(session *broker.Session) int {
	size := c.choose()
	c.taken = time.Now().UnixNano()
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
	for _, ch := range c.touched {
		c.out.Buf = ch.confirms.tell(c.out.Buf, ch.number)
	}
	c.out.Opening = false
	c.out.Unlock()
	c.out.Opened()
	session.Return(c.returns)
	c.returns = c.returns[:0]
	clear(c.touched)
	c.touched = c.touched[:0]
	clear(c.parcels)
	c.parcels = c.parcels[:0]
	return size
}

// choose makes parcels of the next events and gives the size of their contents.
func (c *conn) choose() (size int) {
	c.out.Lock()
	defer c.out.Unlock()
	for c.next < len(c.list) && len(c.parcels) < parcelCount {
		e := &c.list[c.next]
		if e.Kind == broker.Delivered {
			if size > 0 && size+e.Delivery.Size > parcelBytes {
				break
			}
			cons := c.consumers[e.Delivery.Consumer]
			if cons == nil {
				c.returns = append(c.returns, e.Delivery.Ref)
				c.next++
				continue
			}
			c.parcels = append(c.parcels, parcel{event: e, consumer: cons})
			size += e.Delivery.Size
		} else {
			c.parcels = append(c.parcels, parcel{event: e})
		}
		c.next++
	}
	c.out.Opening = size > 0
	return size
}

// unseal opens the deliveries among the parcels into the arena.
func (c *conn) unseal(size int) {
	c.arena = c.srv.pool.Grow(c.arena, size)
	used := 0
	for i := range c.parcels {
		p := &c.parcels[i]
		if p.consumer == nil {
			continue
		}
		d := &p.event.Delivery
		var err error
		p.content, err = c.namespace.OpenDelivery(c.arena[used:used:used+d.Size], d)
		used += d.Size
		if err == nil && p.content.Format != ContentFormat {
			p.content, err = convert.To091(p.content)
		}
		if err == nil {
			continue
		}
		c.giveBack(i)
		if k := fault.KindOf(err); k != fault.KeyUnavailable && k != fault.Unavailable {
			c.log.Error("open delivery", "client", c.client, "error", err)
			// The end of the session puts all back; until then nothing comes again.
			c.returns, c.halted = c.returns[:0], true
			c.fail(asRefusal(err))
		}
		return
	}
}

// giveBack returns the deliveries from the parcel i on, and all that were taken
// with them: later ones must not overtake those that could not be opened.
func (c *conn) giveBack(i int) {
	for ; i < len(c.parcels); i++ {
		if p := &c.parcels[i]; p.consumer != nil {
			c.returns = append(c.returns, p.event.Delivery.Ref)
			p.consumer, p.event = nil, nil
		}
	}
	rest := c.list[:c.next]
	for _, e := range c.list[c.next:] {
		if e.Kind == broker.Delivered {
			c.returns = append(c.returns, e.Delivery.Ref)
		} else {
			rest = append(rest, e)
		}
	}
	clear(c.list[len(rest):])
	c.list = rest
}

// encode puts one event into the buffer. The caller holds the lock.
func (c *conn) encode(p *parcel) {
	switch {
	case p.event == nil: // it went back
	case p.consumer != nil:
		c.deliver(p)
	case p.event.Kind == broker.Published:
		id, seq := splitTag(p.event.Tag)
		ch := c.byID[id]
		if ch == nil {
			return
		}
		if !ch.confirms.touched {
			ch.confirms.touched = true
			c.touched = append(c.touched, ch)
		}
		ch.confirms.settle(seq, p.event.Err == nil)
		ch.traces.confirmed(seq, p.event.Err)
	case p.event.Kind == broker.Committed:
		c.committedEvent(p.event)
	case p.event.Kind == broker.Cancelled:
		c.cancelled(p.event)
	}
}

// deliver adds basic.deliver with its content.
func (c *conn) deliver(p *parcel) {
	cons, d := p.consumer, &p.event.Delivery
	ch := cons.channel
	c.announce(cons)
	ch.lastTag++
	if !cons.noAck {
		ch.unacked.push(ch.lastTag, d, c.taken)
	}
	c.traceDelivery(ch, "deliver", cons.noAck, &p.content)
	ch.countDelivery(cons.noAck, d.Redelivered, c.taken)
	c.fillScratch(d, &p.content)
	m := wire.BasicDeliver{
		ConsumerTag: cons.tag, DeliveryTag: ch.lastTag, Redelivered: d.Redelivered,
		Exchange: c.exchange, RoutingKey: c.key,
	}
	buf, err := wire.AppendDeliver(
		c.out.Buf, ch.number, &m, c.header, p.content.Body, c.frameMax)
	if err != nil {
		c.fail(asRefusal(err)) // names too long for this protocol
		return
	}
	c.out.Buf = buf
}

// fillScratch prepares a message's address and content header.
func (c *conn) fillScratch(d *broker.Delivery, content *broker.Content) {
	c.exchange = append(c.exchange[:0], d.Address...)
	c.key = append(c.key[:0], d.Key...)
	if d.History != nil || d.Count > 0 {
		content.Header = annotated(d, content.Header, c.frameMax)
	}
	c.header = appendHeader(c.header[:0], content)
}

// appendHeader appends a content header payload: class, weight, body size, and
// the properties as they are kept.
func appendHeader(dst []byte, content *broker.Content) []byte {
	dst = binary.BigEndian.AppendUint16(dst, wire.ClassBasic)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(content.Body)))
	return append(dst, content.Header...)
}

// announce sends consume-ok for a consumer whose first delivery is faster than
// the reader. The caller holds the lock.
func (c *conn) announce(cons *consumer) {
	if cons.announced {
		return
	}
	cons.announced = true
	if !cons.noWait {
		c.out.append(cons.channel.number, &wire.BasicConsumeOk{ConsumerTag: string(cons.tag)})
	}
}

// cancelled ends a consumer whose queue is gone. The caller holds the lock.
func (c *conn) cancelled(e *broker.Event) {
	cons := c.consumers[e.Consumer.Ref()]
	if cons == nil {
		return
	}
	if e.Err != nil {
		c.log.Error("consumer ended", "client", c.client, "error", e.Err)
	}
	c.announce(cons)
	delete(c.consumers, cons.ref)
	delete(cons.channel.consumers, string(cons.tag))
	if c.capabilities.cancel {
		c.out.append(cons.channel.number,
			&wire.BasicCancel{ConsumerTag: string(cons.tag), NoWait: true})
	}
}
