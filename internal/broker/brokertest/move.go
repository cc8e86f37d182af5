package brokertest

import (
	"fmt"
	"strconv"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// move plays the commands about moves: "move m from to max=n rate=n fresh=1" begins one,
// to where each message died last if to is "home",
// "moved m" waits for its end and shows how many messages were moved, and why it
// ended early; "moving m" shows how many are so far; "cancel-move m" ends it.
func (p *player) move(command, name string, args []string) (string, error) {
	if command == "move" {
		set, _ := options(args[2:])
		spec := broker.MoveSpec{From: p.world.Queue(args[0])}
		var err error
		if args[1] == "home" {
			if spec.Home, err = p.home(); err != nil {
				return "", err
			}
		} else if spec.To, err = p.named(args[1]); err != nil {
			return "", err
		}
		for name, value := range set {
			n, err := number(name, value)
			if err != nil {
				return "", err
			}
			switch name {
			case "rate":
				spec.Rate = int(n)
			case "fresh":
				spec.Fresh = true
			default:
				spec.Max = n
			}
		}
		p.moves[name], err = p.world.Namespace.MoveMessages(p.t.Context(), spec)
		return "", err
	}
	m := p.moves[name]
	switch command {
	case "moving":
		return strconv.FormatInt(m.Moved(), 10), m.Err()
	case "cancel-move":
		m.Cancel()
		return "", nil
	}
	select {
	case <-m.Done():
	case <-time.After(patience()):
		return "", fmt.Errorf("the move does not end; %d messages so far", m.Moved())
	}
	text := strconv.FormatInt(m.Moved(), 10)
	if err := m.Err(); err != nil {
		if kind := fault.KindOf(err); kind != fault.Internal {
			return text + " " + kind.String(), nil
		}
		return text + " " + err.Error(), nil
	}
	return text, nil
}

// home gives the queue in which a message died last.
func (p *player) home() (func(*broker.History) (*broker.Queue, error), error) {
	own := p.world.Namespace
	first, err := p.world.open("first")
	return func(h *broker.History) (*broker.Queue, error) {
		if h == nil {
			return nil, fault.New(fault.Conflict, "it never died")
		}
		n, d := own, h.Deaths[0]
		if d.Namespace == first.ID() {
			n = first
		}
		if q, ok := n.Topology().Queue(d.Queue); ok {
			return q, nil
		}
		return nil, fault.New(fault.NotFound, "no queue %q", d.Queue)
	}, err
}
