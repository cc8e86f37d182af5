package brokertest

import (
	"fmt"
	"strconv"
	"strings"

	"coffer/internal/broker"
)

// options splits off the words of the form name=value that args begin with.
func options(args []string) (map[string]string, []string) {
	set := map[string]string{}
	for len(args) > 0 {
		name, value, ok := strings.Cut(args[0], "=")
		if !ok {
			break
		}
		set[name] = value
		args = args[1:]
	}
	return set, args
}

// number parses the value of an option.
func number(name, value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("option %s: %w", name, err)
	}
	return n, nil
}

// specify sets fields of a queue: a flag, or name=number in the order of
// broker.Limits.
func specify(spec *broker.QueueSpec, words []string) error {
	for _, word := range words {
		name, value, pair := strings.Cut(word, "=")
		if !pair {
			specifyFlag(spec, word)
			continue
		}
		if err := limit(&spec.Limits, name, value); err == nil {
			continue
		}
		n, err := number(name, value)
		if err != nil || name != "priority" {
			return fmt.Errorf("unknown option %s of a queue", word)
		}
		spec.MaxPriority = uint8(n)
	}
	return nil
}

func specifyFlag(spec *broker.QueueSpec, word string) {
	switch word {
	case "durable":
		spec.Durable = true
	case "autodelete":
		spec.AutoDelete = true
	case "exclusive":
		spec.Exclusive = true
	case "groups":
		spec.Groups = true
	case "single":
		spec.SingleActive = true
	case "keepall":
		spec.KeepAll = true
	case "fair":
		spec.Fair = true
	}
}

// limit sets one rule.
func limit(l *broker.Limits, name, value string) error {
	bounds := map[string]*broker.Bound{
		"expiry": &l.Expiry, "retention": &l.Retention, "idle": &l.Idle,
		"length": &l.MaxLength, "bytes": &l.MaxBytes, "deliveries": &l.Deliveries,
		"inflight": &l.MaxInFlight,
	}
	switch name {
	case "dead":
		l.Dead = deadLetter(value)
		return nil
	case "overflow":
		ways := map[string]broker.Overflow{
			"drop": broker.DropHead, "refuse": broker.RefusePublish,
			"dead": broker.DeadLetterRefuse,
		}
		l.Overflow = ways[value]
		return nil
	}
	n, err := number(name, value)
	switch {
	case err != nil:
		return err
	case bounds[name] != nil:
		*bounds[name] = broker.AtMost(n)
	case name == "delay":
		l.Delay = n
	case name == "dedup":
		l.Dedup = n
	default:
		return fmt.Errorf("unknown limit %s", name)
	}
	return nil
}

// deadLetter reads address or address/key, in another namespace with its name and a
// colon before, and how they go, each with a plus before.
func deadLetter(value string) (d broker.DeadLetter) {
	value, how, _ := strings.Cut(value, "+")
	d.KeepTime = strings.Contains(how, "keeptime")
	d.Rounds = strings.Contains(how, "rounds")
	if name, rest, ok := strings.Cut(value, ":"); ok {
		d.Namespace, value = namespaces()[name], rest
	}
	d.Set = true
	d.Address, d.Key, d.OwnKey = strings.Cut(value, "/")
	d.Address = strings.Trim(d.Address, "-")
	return d
}

// describe sets fields of a message.
func describe(m *broker.Message, set map[string]string) error {
	for name, value := range set {
		switch name {
		case "group":
			m.Group = value
			continue
		case "copies":
			m.Copies = strings.Split(value, ",")
			continue
		}
		n, err := number(name, value)
		switch {
		case err != nil:
			return err
		case name == "priority":
			m.Priority = uint8(n)
		case name == "delay":
			m.Delay = broker.AtMost(n)
		case name == "expiry":
			m.Expiry = broker.AtMost(n)
		default:
			return fmt.Errorf("unknown option %s of a message", name)
		}
	}
	return nil
}

// binding reads address queue key [arguments]; >name is an address instead of a queue.
func binding(args []string) broker.Binding {
	b := broker.Binding{Source: args[0], Queue: args[1], Key: args[2]}
	if name, ok := strings.CutPrefix(args[1], ">"); ok {
		b.Queue, b.Address = "", name
	}
	if len(args) > 3 {
		b.Arguments = []byte(args[3])
	}
	return b
}

func (p *player) bind(command string, args []string) error {
	n, ctx := p.world.Namespace, p.t.Context()
	switch command {
	case "bind":
		return n.Bind(ctx, binding(args))
	case "unbind":
		return n.Unbind(ctx, binding(args))
	}
	// subscribe: queue address key arguments; both in one change
	spec := broker.QueueSpec{Name: args[0], Durable: true}
	_, _, err := n.DeclareQueue(ctx, nil, spec, binding([]string{args[1], "", args[2], args[3]}))
	return err
}
