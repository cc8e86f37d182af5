package federation

import (
	"fmt"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/parameter"
	"coffer/internal/rabbitmq/peer"
)

// Components are the checks of parameters, as RabbitMQ makes them and with its texts:
// fault.Invalid. In addition they refuse what would leave the machine in clear, which
// the dialer knows.
func Components(dialer *peer.Dialer) map[string]func(rabbitmq.Parameter) error {
	return map[string]func(rabbitmq.Parameter) error{
		Upstream: func(p rabbitmq.Parameter) error {
			return valid(p, func(v any) []string {
				rules := append([]parameter.Rule{
					{Key: "uri", Check: checkURI(dialer, p.By), Needed: true},
				}, shared()...)
				return parameter.Object(p.Name, v, rules)
			})
		},
		UpstreamSet: func(p rabbitmq.Parameter) error {
			return valid(p, func(v any) []string { return checkSet(p.Name, v) })
		},
	}
}

// valid puts what is wrong with a value into an error.
func valid(p rabbitmq.Parameter, check func(any) []string) error {
	v, err := parameter.Decode(p.Value)
	if err != nil {
		return fault.New(fault.Invalid, "not_json")
	}
	if wrong := check(v); len(wrong) > 0 {
		return fault.New(fault.Invalid, "Validation failed\n\n%s\n", strings.Join(wrong, "\n"))
	}
	return nil
}

func checkSet(name string, v any) (wrong []string) {
	all, ok := v.([]any)
	if !ok {
		return parameter.List(name, v)
	}
	rules := append([]parameter.Rule{
		{Key: "upstream", Check: parameter.Text, Needed: true},
	}, shared()...)
	for _, e := range all {
		wrong = append(wrong, parameter.Object(name, e, rules)...)
	}
	return wrong
}

// shared are the rules of upstreams and of elements of sets.
func shared() []parameter.Rule {
	return []parameter.Rule{
		{Key: "exchange", Check: parameter.Text},
		{Key: "queue", Check: parameter.Text},
		{Key: "consumer-tag", Check: parameter.Text},
		{Key: "prefetch-count", Check: parameter.Number},
		{Key: "reconnect-delay", Check: parameter.Number},
		{Key: "max-hops", Check: parameter.Number},
		{Key: "expires", Check: parameter.Number},
		{Key: "message-ttl", Check: parameter.Number},
		{Key: "trust-user-id", Check: parameter.Bool},
		{Key: "ack-mode", Check: parameter.Enum("no-ack", "on-publish", "on-confirm")},
		{Key: "resource-cleanup-mode", Check: parameter.Enum("default", "never")},
		{Key: "queue-type", Check: parameter.Enum("classic", "quorum")},
		{Key: "ha-policy", Check: parameter.Text}, // of old definitions; it says nothing now
		{Key: "bind-nowait", Check: parameter.Bool},
		{Key: "channel-use-mode", Check: parameter.Enum("multiple", "single")},
	}
}

// checkURI takes a URI or a list of them from a user.
func checkURI(dialer *peer.Dialer, by string) parameter.Check {
	return func(k string, v any) []string {
		all, ok := v.([]any)
		if !ok {
			if wrong := parameter.Text(k, v); wrong != nil {
				return parameter.List(k, v)
			}
			all = []any{v}
		}
		if len(all) == 0 {
			return []string{fmt.Sprintf("%s has no URI", k)}
		}
		for _, e := range all {
			s, ok := e.(string)
			if !ok {
				return parameter.List(k, e)
			}
			if err := dialer.CheckURI(s, by); err != nil {
				return []string{err.Error()}
			}
		}
		return nil
	}
}
