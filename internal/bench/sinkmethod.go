package bench

import (
	"bytes"
	"slices"

	"coffer/internal/protocol/amqp091/wire"
)

// frame handles one frame.
func (c *sinkConn) frame(f wire.Frame) error {
	switch f.Type {
	case wire.FrameMethod:
		m, err := c.dec.Method(f.Payload)
		if err != nil {
			return err
		}
		return c.method(f.Channel, m)
	case wire.FrameHeader:
		h, err := wire.ParseContentHeader(f.Payload)
		if err != nil {
			return err
		}
		c.header = append(c.header[:0], f.Payload...)
		c.body, c.left = c.body[:0], h.BodySize
	case wire.FrameBody:
		if uint64(len(f.Payload)) > c.left {
			return wire.ErrBodySize
		}
		c.left -= uint64(len(f.Payload))
		if c.left == 0 && len(c.body) == 0 {
			return c.publish(f.Payload)
		}
		c.body = append(c.body, f.Payload...)
		if c.left == 0 {
			return c.publish(c.body)
		}
	}
	return nil
}

// method answers one method.
func (c *sinkConn) method(channel uint16, m wire.Method) error {
	if fn := c.s.faults.method; fn != nil {
		if answer, handled := fn(channel, m); handled {
			if answer == nil {
				return nil
			}
			return c.send(channel, answer)
		}
	}
	switch m := m.(type) {
	case *wire.BasicPublish:
		c.setRoute(m)
		return nil
	case *wire.BasicConsume:
		return c.s.consume(c, m)
	case *wire.QueueBind:
		c.s.mu.Lock()
		c.s.bound[m.Exchange] = append(c.s.bound[m.Exchange], c.s.queue(m.Queue))
		c.s.mu.Unlock()
	case *wire.QueueDeclare:
		return c.send(channel, &wire.QueueDeclareOk{Queue: m.Queue})
	}
	if answer := sinkAnswer(m); answer != nil {
		return c.send(channel, answer)
	}
	return nil
}

// setRoute keeps where the next body goes, without memory for what stays the same.
func (c *sinkConn) setRoute(m *wire.BasicPublish) {
	if string(m.RoutingKey) != c.key {
		c.key = string(m.RoutingKey)
	}
	if string(m.Exchange) != c.exchange {
		c.exchange = string(m.Exchange)
	}
}

// sinkAnswer is what a method gets whatever it says, or nil.
func sinkAnswer(m wire.Method) wire.Method {
	switch m.(type) {
	case *wire.ConnectionStartOk:
		return &wire.ConnectionTune{ChannelMax: 2047, FrameMax: wire.DefaultFrameMax}
	case *wire.ConnectionOpen:
		return &wire.ConnectionOpenOk{}
	case *wire.ConnectionClose:
		return &wire.ConnectionCloseOk{}
	case *wire.ChannelOpen:
		return &wire.ChannelOpenOk{}
	case *wire.ExchangeDeclare:
		return &wire.ExchangeDeclareOk{}
	case *wire.ExchangeDelete:
		return &wire.ExchangeDeleteOk{}
	case *wire.QueueBind:
		return &wire.QueueBindOk{}
	case *wire.QueueDelete:
		return &wire.QueueDeleteOk{}
	case *wire.BasicQos:
		return &wire.BasicQosOk{}
	case *wire.ConfirmSelect:
		return &wire.ConfirmSelectOk{}
	}
	return nil
}

// queue gives a queue, which need not be there; the caller holds the lock.
func (s *sink) queue(name string) *sinkQueue {
	if s.queues[name] == nil {
		s.queues[name] = &sinkQueue{}
	}
	return s.queues[name]
}

// publish takes a whole message.
func (c *sinkConn) publish(body []byte) error {
	c.publishes++
	c.confirming = true
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.exchange == "" {
		s.give(s.queue(c.key), c.header, body, c.touched)
	} else {
		for _, q := range s.bound[c.exchange] {
			s.give(q, c.header, body, c.touched)
		}
	}
	if cut := s.faults.cut; cut > 0 && c.publishes >= uint64(cut) {
		return errSinkCut
	}
	return nil
}

// give delivers one message, with the faults that are asked for.
func (s *sink) give(q *sinkQueue, header, body []byte, touched map[*sinkConn]bool) {
	if len(q.consumers) == 0 && s.faults.forget {
		return
	}
	if len(q.consumers) == 0 {
		q.waiting = append(q.waiting, bytes.Clone(body))
		return
	}
	times := 1
	if s.faults.deliver != nil {
		var later bool
		times, later = s.faults.deliver(q.n)
		q.n++
		if later {
			q.held = bytes.Clone(body)
			return
		}
	}
	for range times {
		s.write(q, header, body, touched)
	}
	if q.held != nil {
		s.write(q, header, q.held, touched)
		q.held = nil
	}
}

// flushAt is how much a consumer's connection gathers, in octets.
const flushAt = 64 << 10

// write appends a delivery to the next consumer's output.
func (s *sink) write(q *sinkQueue, header, body []byte, touched map[*sinkConn]bool) {
	i := q.next % len(q.consumers)
	q.next++
	to := q.consumers[i]
	to.writing.Lock()
	defer to.writing.Unlock()
	to.delivered++
	m := wire.BasicDeliver{ConsumerTag: []byte(q.tags[i]), DeliveryTag: to.delivered}
	// It fails only for what the sink itself made wrong; then the message is lost.
	to.out, _ = wire.AppendDeliver(to.out, channel, &m, header, body, wire.DefaultFrameMax)
	touched[to] = true
	if len(to.out) >= flushAt {
		_ = to.write() // it may be gone
	}
}

// consume adds a consumer, and gives it what waits.
func (s *sink) consume(c *sinkConn, m *wire.BasicConsume) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(m.Queue)
	q.consumers, q.tags = append(q.consumers, c), append(q.tags, m.ConsumerTag)
	waiting := q.waiting
	q.waiting = nil
	for _, body := range waiting {
		p := wire.Properties{}
		header, err := wire.AppendContentHeader(nil, uint64(len(body)), &p)
		if err != nil {
			return err
		}
		s.give(q, header, body, c.touched)
	}
	return nil
}

// leave forgets a connection.
func (s *sink) leave(c *sinkConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.conn)
	for _, q := range s.queues {
		for i := len(q.consumers) - 1; i >= 0; i-- {
			if q.consumers[i] == c {
				q.consumers = slices.Delete(q.consumers, i, i+1)
				q.tags = slices.Delete(q.tags, i, i+1)
			}
		}
	}
}
