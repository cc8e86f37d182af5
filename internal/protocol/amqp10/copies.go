package amqp10

import "coffer/internal/broker"

// annotationCopies is a message annotation with further keys, as the header CC of AMQP
// 0-9-1 has them.
const annotationCopies = "x-cc"

// copies takes the further keys of the message in hand.
func (c *conn) copies(l *link) error {
	c.guide.Keys = nil
	if c.message.Annotations == nil {
		return nil
	}
	list := c.message.Annotations.Find(annotationCopies)
	if !list.IsList() && !list.IsArray() {
		return nil
	}
	for e := range list.Elements {
		key, ok := e.Text()
		if !ok || len(key) > broker.MaxName {
			continue // nobody binds with a longer one
		}
		c.guide.Keys = append(c.guide.Keys, string(key))
		if l.route.keysKept {
			if err := c.permitTopic(l.route.exchange, string(key), write); err != nil {
				return err
			}
		}
	}
	return nil
}

// Impersonator is an [Engine] in which some users may send messages in the names of
// others: those with RabbitMQ's tag impersonator.
type Impersonator interface {
	// Impersonates reports whether the user may. It answers from memory.
	Impersonates(user string) bool
}

func (c *conn) impersonates() bool {
	k, ok := c.srv.cfg.Engine.(Impersonator)
	return ok && k.Impersonates(c.client.User)
}

// passing are messages that were sent to an exchange and are not counted there yet:
// others count there, too, so it is done for many at a time.
type passing struct {
	counts  *broker.AddressCounts
	in, out int64
}

func (p *passing) tell() {
	if p.in > 0 {
		p.counts.Add(p.in, p.out)
		p.in, p.out = 0, 0
	}
}

// passed counts the message in hand at its exchange.
func (c *conn) passed(counts *broker.AddressCounts, queues int) {
	p := &c.passing
	if p.counts != counts {
		p.tell()
		p.counts = counts
	}
	p.in++
	p.out += int64(queues)
}
