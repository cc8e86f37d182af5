package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"coffer/internal/broker"
)

// reserved is what names of built-in exchanges and of queues that were named by the
// broker begin with. Neither is imported.
const reserved = "amq."

// Export gives the definitions of the broker or, if vhost is not "", of a virtual host,
// in a fixed order. They hold what parameters hold, which may be secrets, and hashes of
// passwords. Exclusive queues and built-in exchanges are left out. Errors:
// fault.NotFound.
func (b *Broker) Export(_ context.Context, vhost string) (Definitions, error) {
	s := b.state.Load()
	d := Definitions{
		RabbitVersion: Version, RabbitMQVersion: Version, Product: "Coffer",
		ProductVersion: b.engine.build, Format: "cluster",
		Parameters: []DefinedParameter{}, Policies: []DefinedPolicy{},
		Queues: []DefinedQueue{}, Exchanges: []DefinedExchange{}, Bindings: []DefinedBinding{},
	}
	if vhost == "" {
		b.exportBroker(&d)
	} else if v := s.vhosts[vhost]; v == nil {
		return Definitions{}, noVhost(vhost)
	} else {
		d.Format, d.OriginalVhost = "single_virtual_host", vhost
		d.Description, d.DefaultQueueType = v.row.Description, v.row.QueueType
		d.Metadata = v.row.metadata()
	}
	for _, p := range b.Parameters() {
		if vhost == "" || p.Vhost == vhost {
			d.Parameters = append(d.Parameters,
				DefinedParameter{p.Value, p.Vhost, p.Component, p.Name})
		}
	}
	for _, p := range b.Policies(false) {
		if vhost == "" || p.Vhost == vhost {
			d.Policies = append(d.Policies, DefinedPolicy{p.Vhost, p.Name, p.Pattern, p.ApplyTo,
				p.Definition, json.Number(strconv.Itoa(p.Priority))})
		}
	}
	for _, v := range sorted(s.vhosts, strings.Compare) {
		if vhost != "" && v.row.Name != vhost {
			continue
		}
		shown := v.row.Name
		if vhost != "" {
			shown = "" // the file is about one
		}
		if err := b.exportVhost(&d, v.ns, shown); err != nil {
			return Definitions{}, fmt.Errorf("export vhost %q: %w", v.row.Name, err)
		}
	}
	return d, nil
}

// exportBroker adds what is not in a virtual host.
func (b *Broker) exportBroker(d *Definitions) {
	d.Users, d.Vhosts = []DefinedUser{}, []DefinedVhost{}
	d.GlobalParameters = []DefinedParameter{}
	for _, u := range b.Users() {
		tags := Tags(u.Tags)
		d.Users = append(d.Users, DefinedUser{
			Name: u.Name, PasswordHash: &u.Hash, Algorithm: u.Algorithm, Tags: &tags,
			Limits: u.Limits, Argon2id: u.Argon2id,
		})
	}
	for _, v := range sorted(b.state.Load().vhosts, strings.Compare) {
		d.Vhosts = append(d.Vhosts, DefinedVhost{
			Name: v.row.Name, Description: v.row.Description, Tags: v.row.Tags,
			DefaultQueueType: v.row.QueueType, Metadata: v.row.metadata(),
		})
	}
	d.Permissions = append([]Permission{}, b.Permissions()...)
	d.TopicPermissions = append([]TopicPermission{}, b.TopicPermissions()...)
	for _, p := range b.GlobalParameters() {
		d.GlobalParameters = append(d.GlobalParameters,
			DefinedParameter{Value: p.Value, Name: p.Name})
	}
}

func (r *vhostRow) metadata() *VhostMetadata {
	return &VhostMetadata{r.Description, r.Tags, r.QueueType}
}

// exportVhost adds the exchanges, queues and bindings of a virtual host.
func (b *Broker) exportVhost(d *Definitions, ns *broker.Namespace, vhost string) error {
	queues, exchanges, bindings := len(d.Queues), len(d.Exchanges), len(d.Bindings)
	exclusive := map[string]bool{}
	var failed error
	arguments := func(encoded []byte) Arguments {
		m, err := b.engine.dialect.Arguments(encoded)
		failed = cmp.Or(failed, err)
		return m
	}
	t := ns.Topology()
	t.Queues(func(q *broker.Queue) bool {
		spec := q.Spec()
		if exclusive[spec.Name] = spec.Exclusive; !spec.Exclusive {
			d.Queues = append(d.Queues, DefinedQueue{
				spec.Name, vhost, spec.Durable, spec.AutoDelete, arguments(spec.Arguments),
				b.engine.dialect.Shape(spec.Arguments).Kind,
			})
		}
		return true
	})
	t.Addresses(func(a broker.Address) bool {
		if a.Name != "" && !strings.HasPrefix(a.Name, reserved) {
			d.Exchanges = append(d.Exchanges, DefinedExchange{
				a.Name, vhost, exchangeTypes[a.Kind], a.Durable, a.AutoDelete, a.Internal,
				arguments(a.Arguments),
			})
		}
		return true
	})
	for _, x := range ns.Bindings() {
		to, kind := x.Address, "exchange"
		if to == "" {
			to, kind = x.Queue, "queue"
		}
		if kind != "queue" || !exclusive[to] {
			d.Bindings = append(d.Bindings, DefinedBinding{
				x.Source, vhost, to, kind, x.Key, arguments(x.Arguments),
			})
		}
	}
	slices.SortFunc(d.Queues[queues:], func(a, b DefinedQueue) int {
		return cmp.Compare(a.Name, b.Name)
	})
	slices.SortFunc(d.Exchanges[exchanges:], func(a, b DefinedExchange) int {
		return cmp.Compare(a.Name, b.Name)
	})
	slices.SortFunc(d.Bindings[bindings:], compareBindings)
	return failed
}

func compareBindings(a, b DefinedBinding) int {
	return cmp.Or(
		cmp.Compare(a.Source, b.Source), cmp.Compare(a.DestinationType, b.DestinationType),
		cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.RoutingKey, b.RoutingKey),
		cmp.Compare(fmt.Sprint(a.Arguments), fmt.Sprint(b.Arguments)),
	)
}

// ExchangeType is RabbitMQ's word for a kind of address.
func ExchangeType(k broker.AddressKind) string { return cmp.Or(exchangeTypes[k], "unknown") }

// exchangeTypes are the names of the kinds of addresses.
var exchangeTypes = map[broker.AddressKind]string{
	broker.Direct: "direct", broker.Fanout: "fanout", broker.Pattern: "topic",
	broker.Matched: "headers", broker.Hashed: "x-consistent-hash",
	broker.Drawn: "x-local-random",
}
