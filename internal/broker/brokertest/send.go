package brokertest

import (
	"fmt"
	"strings"

	"coffer/internal/broker"
)

// message reads address, key, options and bodies.
func (p *player) message(args []string, durable bool) (broker.Message, []string, error) {
	m := broker.Message{Address: strings.Trim(args[0], "-"), Key: args[1], Durable: durable}
	set, texts := options(args[2:])
	if id, ok := set["dedup"]; ok {
		m.Dedup = p.world.Namespace.DedupID("", id)
		delete(set, "dedup")
	}
	if err := enlarge(set, texts); err != nil {
		return m, nil, err
	}
	return m, texts, describe(&m, set)
}

// send publishes texts and shows where they are, or where those are that they
// repeat. It checks that the message id of a repeated one is the first's.
func (p *player) send(c *Client, m broker.Message, texts []string) (string, error) {
	events, err := c.Confirms(m, texts...)
	var shown []string
	for _, e := range events {
		text := fmt.Sprint(e.Sequence)
		if e.Duplicate {
			text += "+"
			if first, ok := p.ids[e.Sequence]; ok && first != e.MessageID {
				return "", fmt.Errorf("message id %x, the first has %x", e.MessageID, first)
			}
		} else {
			p.ids[e.Sequence] = e.MessageID
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, " "), err
}

// lead leads dead letters as SendLike leads messages: the arguments of a binding are
// what the text begins with.
func lead(c broker.Content, _ *broker.History) broker.Guide {
	text := string(c.Body)
	return broker.Guide{
		Match: func(b broker.Binding) bool { return strings.HasPrefix(text, string(b.Arguments)) },
	}
}
