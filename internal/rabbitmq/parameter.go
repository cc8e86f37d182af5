package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"

	"coffer/internal/fault"
)

// Parameter is something that a component, such as a shovel, keeps for a virtual host.
// Global ones have neither component nor virtual host.
type Parameter struct {
	Component, Vhost, Name string
	Value                  json.RawMessage
	// By is the user who set it, in whose name a component acts on this broker; "": the
	// broker itself.
	By string
}

// setting is the part of a parameter that can change.
type setting struct {
	value json.RawMessage
	by    string
}

func compareParameters(a, b parameterKey) int {
	return cmp.Or(cmp.Compare(a.component, b.component), cmp.Compare(a.vhost, b.vhost),
		cmp.Compare(a.name, b.name))
}

// Parameters lists those of virtual hosts, by component, virtual host and name.
func (b *Broker) Parameters() []Parameter { return b.state.Load().listParameters(false) }

// GlobalParameters lists those of the broker, by name.
func (b *Broker) GlobalParameters() []Parameter { return b.state.Load().listParameters(true) }

func (s *state) listParameters(global bool) []Parameter {
	all := map[parameterKey]Parameter{}
	if !global {
		s.addOwn(all)
	}
	for k, v := range s.parameters {
		if (k.component == "") == global {
			all[k] = Parameter{k.component, k.vhost, k.name, v.value, v.by}
		}
	}
	return sorted(all, compareParameters)
}

// PutParameter sets a parameter of a virtual host and reports whether there was none.
// Errors: [fault.Invalid], also for an unknown component; [fault.NotFound].
func (b *Broker) PutParameter(ctx context.Context, p Parameter) (created bool, err error) {
	err = b.change(ctx, func(_ context.Context, e *edit) error {
		created, err = e.putParameter(p)
		return err
	})
	return created, err
}

func (e *edit) putParameter(p Parameter) (created bool, err error) {
	if e.next.vhosts[p.Vhost] == nil {
		return false, noVhost(p.Vhost)
	}
	switch p.Component {
	case componentPolicy:
		return false, fault.New(fault.Invalid, "policies may not be set using this method")
	case componentOperator:
		return e.putOperatorParameter(p)
	case componentLimits:
		return e.putLimitsParameter(p)
	}
	check, ok := e.b.engine.components[p.Component]
	if !ok {
		return false, notValid("component %s not found", p.Component)
	}
	if err := check(p); err != nil {
		return false, err
	}
	return e.setParameter(p)
}

func (e *edit) setParameter(p Parameter) (created bool, err error) {
	if err := checkName("parameter", p.Name); err != nil {
		return false, err
	}
	if len(p.Value) > maxValue {
		return false, fault.New(fault.Invalid, "value of a parameter is longer than %d bytes",
			maxValue)
	}
	if !json.Valid(p.Value) {
		return false, fault.New(fault.Invalid, "not_json")
	}
	k := parameterKey{p.Component, p.Vhost, p.Name}
	_, had := e.next.parameters[k]
	e.next.parameters[k] = setting{append(json.RawMessage{}, p.Value...), p.By}
	e.tell(k.change("put"))
	row := parameterRow{p.Component, p.Vhost, p.Name, p.Value, p.By}
	return !had, e.put(k.kind(), &row, k.names()...)
}

func (k parameterKey) kind() byte {
	if k.component == "" {
		return rowGlobal
	}
	return rowParameter
}

func (k parameterKey) names() []string {
	if k.component == "" {
		return []string{k.name}
	}
	return []string{k.component, k.vhost, k.name}
}

func (k parameterKey) change(what string) Change {
	word := "parameter."
	if k.component == "" {
		word = "global_parameter."
	}
	return Change{What: word + what, Vhost: k.vhost, Name: k.name,
		Detail: Detail{Component: k.component}}
}

// DeleteParameter removes a parameter of a virtual host. Errors: [fault.NotFound].
func (b *Broker) DeleteParameter(ctx context.Context, component, vhost, name string) error {
	return b.deleteParameter(ctx, parameterKey{component, vhost, name})
}

// PutGlobalParameter sets a parameter of the broker and reports whether there was none.
// Errors: [fault.Invalid].
func (b *Broker) PutGlobalParameter(ctx context.Context, name string, value json.RawMessage) (
	created bool, err error,
) {
	err = b.change(ctx, func(_ context.Context, e *edit) error {
		created, err = e.setParameter(Parameter{Name: name, Value: value})
		return err
	})
	return created, err
}

// DeleteGlobalParameter removes a parameter of the broker. Errors: [fault.NotFound].
func (b *Broker) DeleteGlobalParameter(ctx context.Context, name string) error {
	return b.deleteParameter(ctx, parameterKey{name: name})
}

func (b *Broker) deleteParameter(ctx context.Context, k parameterKey) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		switch k.component {
		case componentOperator:
			return e.deletePolicy(policyKey{true, k.vhost, k.name})
		case componentLimits:
			return e.deleteLimits(k)
		}
		if _, ok := e.next.parameters[k]; !ok {
			return noParameter(k)
		}
		e.dropParameter(k)
		return nil
	})
}

func noParameter(k parameterKey) error {
	return fault.New(fault.NotFound, "no such parameter: %s", k.name)
}

func (e *edit) dropParameter(k parameterKey) {
	delete(e.next.parameters, k)
	e.delete(k.kind(), k.names()...)
	e.tell(k.change("delete"))
}

// WatchParameters calls fn after each change of the broker that may concern parameters,
// until stop is called; fn does not block, and may still run once while stop does.
func (b *Broker) WatchParameters(fn func()) (stop func()) { return b.watching(b.parameters, fn) }

// notValid is a value that a validator refuses, in RabbitMQ's words.
func notValid(format string, args ...any) error {
	return fault.New(fault.Invalid, "Validation failed\n\n"+format+"\n", args...)
}

// ClusterName is the global parameter cluster_name; "" when it is not set.
func (b *Broker) ClusterName() string {
	var name string
	p, ok := b.state.Load().parameters[parameterKey{name: "cluster_name"}]
	if !ok || json.Unmarshal(p.value, &name) != nil {
		return ""
	}
	return name
}
