package amqp091

import (
	"slices"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// copies gathers the keys in the headers CC and BCC, RabbitMQ's sender-selected
// distribution, of the message in hand. BCC does not travel: where it was, the
// header that is given back is another one.
func (c *conn) copies(header []byte) ([]byte, error) {
	cc, hasCC := wire.FindField(c.props.Headers, "CC")
	bcc, hasBCC := wire.FindField(c.props.Headers, "BCC")
	if !hasCC && !hasBCC {
		return header, nil
	}
	if err := c.addCopies("CC", cc, hasCC); err != nil {
		return header, err
	}
	if err := c.addCopies("BCC", bcc, hasBCC); err != nil {
		return header, err
	}
	if !hasBCC {
		return header, nil
	}
	return withoutField(&c.props, "BCC")
}

// addCopies takes each key in the array of a header.
func (c *conn) addCopies(name string, v wire.RawValue, ok bool) error {
	if !ok {
		return nil
	}
	keys, ok := v.Copy().Array()
	if !ok {
		return refuse(wire.PreconditionFailed,
			`invalid message: {unacceptable_type_in_header,"%s",%s}`, name, typeName(v.Copy()))
	}
	for _, k := range keys {
		// RabbitMQ passes over others, too; nobody binds with a longer one.
		if key, text := k.Text(); text && len(key) <= broker.MaxName {
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
