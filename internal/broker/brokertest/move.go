package brokertest

import (
	"fmt"
	"strconv"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
)

// move plays the commands about moves: "move m from to max=n rate=n" begins one,
// "moved m" waits for its end and shows how many messages were moved, and why it
// ended early; "moving m" shows how many are so far; "cancel-move m" ends it.
func (p *player) move(command, name string, args []string) (string, error) {
	if command == "move" {
		set, _ := options(args[2:])
		spec := broker.MoveSpec{From: p.world.Queue(args[0])}
		var err error
		if spec.To, err = p.named(args[1]); err != nil {
			return "", err
		}
		for name, value := range set {
			n, err := number(name, value)
			if err != nil {
				return "", err
			}
			if name == "rate" {
				spec.Rate = int(n)
			} else {
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
