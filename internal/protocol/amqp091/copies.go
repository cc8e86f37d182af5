package amqp091

import (
	"slices"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// copies adds the queues that the headers CC and BCC lead to, RabbitMQ's
// sender-selected distribution, to the targets from an index on. BCC does not
// travel: where it was, the header that is given back is another one.
func (c *conn) copies(ch *channel, t *broker.Topology, from int, header []byte) ([]byte, error) {
	cc, hasCC := wire.FindField(c.props.Headers, "CC")
	bcc, hasBCC := wire.FindField(c.props.Headers, "BCC")
	if !hasCC && !hasBCC {
		return header, nil
	}
	if err := c.addCopies(ch, t, "CC", cc, hasCC); err != nil {
		return header, err
	}
	if err := c.addCopies(ch, t, "BCC", bcc, hasBCC); err != nil {
		return header, err
	}
	seen := map[*broker.Queue]bool{}
	rest := slices.DeleteFunc(c.targets[from:], func(q *broker.Queue) bool {
		again := seen[q]
		seen[q] = true
		return again
	})
	c.targets = c.targets[:from+len(rest)]
	if !hasBCC {
		return header, nil
	}
	return withoutField(&c.props, "BCC")
}

// addCopies routes by each key in the array of a header.
func (c *conn) addCopies(
	ch *channel, t *broker.Topology, name string, v wire.RawValue, ok bool,
) error {
	if !ok {
		return nil
	}
	keys, ok := v.Copy().Array()
	if !ok {
		return refuse(wire.PreconditionFailed,
			`invalid message: {unacceptable_type_in_header,"%s",%s}`, name, typeName(v.Copy()))
	}
	for _, k := range keys {
		key, text := k.Text()
		if !text {
			continue // RabbitMQ passes over it, too
		}
		c.targets, _ = t.Route(c.targets, ch.route.exchange, key)
		// Should the message die, it goes by these as well. Nobody binds with a
		// longer one.
		if len(c.also) < broker.MaxCopies && len(key) <= broker.MaxName {
			c.also = append(c.also, key)
		}
	}
	return nil
}

// withoutField encodes properties again without a header.
func withoutField(p *wire.Properties, name string) ([]byte, error) {
	table, err := p.HeaderTable()
	if err != nil {
		return nil, err
	}
	table = slices.DeleteFunc(table, func(f wire.Field) bool { return f.Name == name })
	if err := p.SetHeaderTable(table); err != nil {
		return nil, err
	}
	return p.Append(nil)
}
