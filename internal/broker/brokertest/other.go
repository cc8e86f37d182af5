package brokertest

import (
	"fmt"
	"strconv"
	"strings"

	"coffer/internal/broker"
)

// namespaces are the names of namespaces in scripts.
func namespaces() map[string]broker.NamespaceID {
	return map[string]broker.NamespaceID{"first": {7}, "other": {0x70}, "near": {0x71}}
}

// elsewhere plays a command in the other namespace, which lies in another shard, or in
// the near one, which lies in the shard of the first; sessions have names of their own
// there. "other open" comes first, and after each restart; "other delete" deletes it.
func (p *player) elsewhere(where string, args []string) (string, error) {
	ctx, core := p.t.Context(), p.world.Core
	switch args[0] {
	case "open":
		if where == "other" {
			return "", p.world.OpenOther()
		}
		if err := core.CreateNamespace(ctx, namespaces()[where]); err != nil {
			return "", err
		}
		_, err := p.world.open(where)
		return "", err
	case "delete":
		return "", core.DeleteNamespace(ctx, namespaces()[where])
	}
	n, err := p.world.open(where)
	if err != nil {
		return "", err
	}
	first := p.world
	x := *first
	x.Namespace = n
	p.world = &x
	defer func() { p.world = first }()
	return p.do(args[0], args[1:])
}

// open gives a namespace that exists.
func (w *World) open(name string) (*broker.Namespace, error) {
	return w.Core.OpenNamespace(namespaces()[name], w.Domain)
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
			n, _ = rows(p.world.Shard, 0x28)
			m, _ := rows(p.world.second, 0x28)
			n += m
		}
		return strconv.Itoa(n) == want
	})
}
