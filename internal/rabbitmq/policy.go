package rabbitmq

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"coffer/internal/fault"
)

// Policy gives properties to the exchanges and queues of a virtual host whose names
// match.
type Policy struct {
	Vhost, Name string
	Pattern     string
	ApplyTo     string         // "all" (the default), "exchanges", "queues", "classic_queues", …
	Priority    int            // of those that match the highest counts
	Definition  map[string]any // numbers are json.Number when it is given out
	Operator    bool           // it bounds what others say
}

// What policies are applied to: an exchange, or a queue of a type.
const (
	KindExchange = "exchange"
	KindClassic  = "classic"
	KindQuorum   = "quorum"
	KindStream   = "stream"
)

// unsupported are the keys that a type of queues does not know, in RabbitMQ 4.
var unsupported = map[string][]string{
	KindClassic: {
		"max-age", "stream-max-segment-size-bytes", "initial-cluster-size", "delivery-limit",
		"dead-letter-strategy", "max-in-memory-length", "max-in-memory-bytes",
		"target-group-size", "filter-field-names",
	},
	KindQuorum: {
		"max-priority", "queue-mode", "ha-mode", "ha-params", "ha-sync-mode",
		"ha-promote-on-shutdown", "ha-promote-on-failure", "queue-master-locator", "max-age",
		"stream-max-segment-size-bytes", "initial-cluster-size",
	},
	KindStream: {
		"expires", "message-ttl", "dead-letter-exchange", "dead-letter-routing-key",
		"max-length", "max-in-memory-length", "max-in-memory-bytes", "max-priority",
		"overflow", "queue-mode", "delivery-limit", "ha-mode", "ha-params", "ha-sync-mode",
		"ha-promote-on-shutdown", "ha-promote-on-failure", "queue-master-locator",
		"dead-letter-strategy", "target-group-size",
	},
}

type policy struct {
	row        policyRow
	operator   bool
	pattern    *matcher
	definition map[string]any
}

func (r policyRow) policy(operator bool) (*policy, error) {
	p := &policy{row: r, operator: operator}
	var err error
	if p.pattern, err = newMatcher(r.Pattern); err != nil {
		return nil, err
	}
	p.definition, err = decodeObject(r.Definition)
	return p, err
}

// decodeObject reads an object whose numbers stay as they were written.
func decodeObject(text []byte) (m map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return m, d.Decode(&m)
}

func (p *policy) key() policyKey { return policyKey{p.operator, p.row.Vhost, p.row.Name} }

func (p *policy) shown() Policy {
	return Policy{
		Vhost: p.row.Vhost, Name: p.row.Name, Pattern: p.row.Pattern, ApplyTo: p.row.ApplyTo,
		Priority: p.row.Priority, Definition: p.definition, Operator: p.operator,
	}
}

// applies reports whether it is for that kind of thing with that name.
func (p *policy) applies(kind, name string) bool {
	ok := false
	switch p.row.ApplyTo {
	case "all":
		ok = true
	case "exchanges":
		ok = kind == KindExchange
	case "queues":
		ok = kind != KindExchange
	case "classic_queues":
		ok = kind == KindClassic
	case "quorum_queues":
		ok = kind == KindQuorum
	case "streams":
		ok = kind == KindStream
	}
	return ok && p.supported(kind) && p.pattern.match(name)
}

// supported reports whether the type of queues knows all that the policy says; RabbitMQ
// applies others not even in part.
func (p *policy) supported(kind string) bool {
	if kind == KindExchange {
		return true
	}
	for key := range p.definition {
		if slices.Contains(unsupported[kind], key) {
			return false
		}
	}
	return true
}

// Policies lists the policies or the operator policies, by virtual host and name. What
// they hold is not the caller's.
func (b *Broker) Policies(operator bool) []Policy {
	all := map[[2]string]Policy{}
	for k, p := range b.state.Load().policies {
		if k.operator == operator {
			all[[2]string{k.vhost, k.name}] = p.shown()
		}
	}
	return sorted(all, comparePairs)
}

// PutPolicy makes or replaces a policy and reports which. Errors: [fault.NotFound] of
// the virtual host, [fault.Invalid].
func (b *Broker) PutPolicy(ctx context.Context, p Policy) (created bool, err error) {
	err = b.change(ctx, func(_ context.Context, e *edit) error {
		created, err = e.putPolicy(p)
		return err
	})
	return created, err
}

func (e *edit) putPolicy(p Policy) (created bool, err error) {
	p.ApplyTo = cmp.Or(p.ApplyTo, "all")
	text, err := checkPolicy(&p)
	if err != nil {
		return false, err
	}
	if e.next.vhosts[p.Vhost] == nil {
		return false, noVhost(p.Vhost)
	}
	c, err := policyRow{p.Vhost, p.Name, p.Pattern, p.ApplyTo, p.Priority, text}.policy(p.Operator)
	if err != nil {
		return false, badPattern(err)
	}
	old := e.next.policies[c.key()]
	e.next.policies[c.key()] = c
	e.reshape(p.Vhost)
	e.tell(Change{What: policyWord(p.Operator) + ".put", Vhost: p.Vhost, Name: p.Name,
		Detail: Detail{New: map[string]string{
			"pattern": p.Pattern, "apply_to": p.ApplyTo, "definition": string(text),
			"priority": strconv.Itoa(p.Priority),
		}}})
	return old == nil, e.put(c.kind(), &c.row, p.Vhost, p.Name)
}

func (p *policy) kind() byte {
	if p.operator {
		return rowOperator
	}
	return rowPolicy
}

func policyWord(operator bool) string {
	if operator {
		return "operator_policy"
	}
	return "policy"
}

// DeletePolicy removes a policy. Errors: [fault.NotFound].
func (b *Broker) DeletePolicy(ctx context.Context, operator bool, vhost, name string) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		return e.deletePolicy(policyKey{operator, vhost, name})
	})
}

func (e *edit) deletePolicy(k policyKey) error {
	if e.next.policies[k] == nil {
		return fault.New(fault.NotFound, "no such policy: %s in vhost %s", k.name, k.vhost)
	}
	e.dropPolicy(k)
	return nil
}

func (e *edit) dropPolicy(k policyKey) {
	e.delete(e.next.policies[k].kind(), k.vhost, k.name)
	delete(e.next.policies, k)
	e.reshape(k.vhost)
	e.tell(Change{What: policyWord(k.operator) + ".delete", Vhost: k.vhost, Name: k.name})
}

// Effective gives the policies that count for an exchange or a queue, nil where none
// does, and what they say together. kind is one of the Kind constants.
func (b *Broker) Effective(vhost, kind, name string) (
	policy, operator *Policy, definition map[string]any,
) {
	s := b.state.Load()
	p, o := s.best(vhost, kind, name, false), s.best(vhost, kind, name, true)
	if p != nil {
		x := p.shown()
		policy = &x
	}
	if o != nil {
		x := o.shown()
		operator = &x
	}
	return policy, operator, merged(p, o)
}
