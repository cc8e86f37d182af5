package brokertest

import (
	"fmt"
	"strconv"
	"strings"

	"coffer/internal/broker"
)

// elsewhere plays a command in the second namespace, which lies in another shard;
// sessions have names of their own there. "other open" comes first, and after each
// restart; "other delete" deletes it.
func (p *player) elsewhere(args []string) (string, error) {
	switch args[0] {
	case "open":
		return "", p.world.OpenOther()
	case "delete":
		return "", p.world.Core.DeleteNamespace(p.t.Context(), p.world.other)
	}
	first := p.world
	p.world = first.In()
	defer func() { p.world = first }()
	return p.do(args[0], args[1:])
}

// named gives the queue of that name, of the second namespace if it begins with
// "other/".
func (p *player) named(name string) (*broker.Queue, error) {
	n := p.world.Namespace
	if rest, ok := strings.CutPrefix(name, "other/"); ok {
		n, name = p.world.Other, rest
	}
	if q, ok := n.Topology().Queue(name); ok {
		return q, nil
	}
	return nil, fmt.Errorf("no queue %q", name)
}

// crossed waits until so many messages are in the outbox, or are dropped between
// shards.
func (p *player) crossed(what, want string) error {
	return p.until(func() bool {
		n := int(p.world.Core.Stats().Lost)
		if what == "parcels" {
			n, _ = p.world.Rows(0x28)
		}
		return strconv.Itoa(n) == want
	})
}
