package shovel

import (
	"encoding/json"
	"fmt"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/parameter"
	"coffer/internal/rabbitmq/peer"
)

// Validate checks a definition as RabbitMQ does, and with its texts: fault.Invalid. In
// addition it refuses what would leave the machine in clear, which the dialer knows, and
// the protocols that are not built.
func Validate(dialer *peer.Dialer) func(rabbitmq.Parameter) error {
	return func(p rabbitmq.Parameter) error {
		if wrong := check(dialer, p); len(wrong) > 0 {
			return fault.New(fault.Invalid, "Validation failed\n\n%s\n",
				strings.Join(wrong, "\n"))
		}
		return nil
	}
}

func check(dialer *peer.Dialer, p rabbitmq.Parameter) (wrong []string) {
	v, err := parameter.Decode(p.Value)
	if err != nil {
		return []string{"not_json"}
	}
	o, ok := v.(map[string]any)
	if !ok {
		return parameter.Object(p.Name, v, nil)
	}
	for _, k := range []string{"src-protocol", "dest-protocol"} {
		switch s := text(o, k); s {
		case "amqp10", "local":
			wrong = append(wrong, fmt.Sprintf("%s: shovels over the protocol %s are not "+
				"supported here, use amqp091", k, s))
		}
	}
	if wrong != nil {
		return wrong
	}
	if len(p.Name) > maxName {
		wrong = append(wrong, fmt.Sprintf("name of a shovel is longer than %d bytes", maxName))
	}
	wrong = append(wrong, exclusive(o)...)
	return append(wrong, parameter.Object(p.Name, v, rules(dialer, p.By))...)
}

// maxName leaves room for what stands before it in the name of a connection.
const maxName = 240

// exclusive checks what may not stand together.
func exclusive(o map[string]any) (wrong []string) {
	has := func(k string) bool { _, ok := o[k]; return ok }
	switch {
	case has("src-exchange") && has("src-queue"):
		wrong = append(wrong, "Cannot specify 'src-exchange' and 'src-queue'")
	case !has("src-exchange") && !has("src-queue"):
		wrong = append(wrong, "Must specify 'src-exchange' or 'src-queue'")
	}
	after, ok := o["src-delete-after"]
	if !ok {
		after = o["delete-after"]
	}
	if n, ok := after.(json.Number); ok && o["ack-mode"] == "no-ack" {
		if _, err := n.Int64(); err == nil {
			wrong = append(wrong, "Cannot specify 'no-ack' and numerical 'delete-after'")
		}
	}
	if has("dest-exchange") && has("dest-queue") {
		wrong = append(wrong, "Cannot specify 'dest-exchange' and 'dest-queue'")
	}
	return wrong
}

// rules are those of rabbit_shovel_parameters and rabbit_amqp091_shovel, in their order.
func rules(dialer *peer.Dialer, by string) []parameter.Rule {
	uri := checkURI(dialer, by)
	properties := func(k string, v any) []string {
		return parameter.Object(k, v, propertyRules())
	}
	protocol := parameter.Enum("amqp10", "amqp091")
	return []parameter.Rule{
		{Key: "internal", Check: parameter.Bool},
		{Key: "reconnect-delay", Check: parameter.Number},
		{Key: "ack-mode", Check: parameter.Enum("no-ack", "on-publish", "on-confirm")},
		{Key: "src-protocol", Check: protocol},
		{Key: "dest-protocol", Check: protocol},

		{Key: "src-uri", Check: uri, Needed: true},
		{Key: "src-exchange", Check: parameter.Text},
		{Key: "src-exchange-key", Check: parameter.Text},
		{Key: "src-queue", Check: parameter.Text},
		{Key: "src-queue-args", Check: parameter.Table},
		{Key: "src-consumer-args", Check: parameter.Table},
		{Key: "prefetch-count", Check: parameter.Number},
		{Key: "src-prefetch-count", Check: parameter.Number},
		{Key: "delete-after", Check: deleteAfter},
		{Key: "src-delete-after", Check: deleteAfter},
		{Key: "src-predeclared", Check: parameter.Bool},

		{Key: "dest-uri", Check: uri, Needed: true},
		{Key: "dest-exchange", Check: parameter.Text},
		{Key: "dest-exchange-key", Check: parameter.Text},
		{Key: "dest-queue", Check: parameter.Name},
		{Key: "dest-queue-args", Check: parameter.Table},
		{Key: "add-forward-headers", Check: parameter.Bool},
		{Key: "add-timestamp-header", Check: parameter.Bool},
		{Key: "dest-add-forward-headers", Check: parameter.Bool},
		{Key: "dest-add-timestamp-header", Check: parameter.Bool},
		{Key: "publish-properties", Check: properties},
		{Key: "dest-publish-properties", Check: properties},
		{Key: "dest-predeclared", Check: parameter.Bool},
	}
}

func propertyRules() (rules []parameter.Rule) {
	for _, k := range []string{
		"content_type", "content_encoding", "delivery_mode", "priority", "correlation_id",
		"reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id",
		"cluster_id",
	} {
		c := parameter.Text
		switch k {
		case "delivery_mode", "priority", "timestamp":
			c = parameter.Number
		}
		rules = append(rules, parameter.Rule{Key: k, Check: c})
	}
	return rules
}

// checkURI takes a URI or a list of them from a user.
func checkURI(dialer *peer.Dialer, by string) parameter.Check {
	return func(k string, v any) []string {
		if s, ok := v.(string); ok {
			return oneURI(dialer, s, by)
		}
		if wrong := parameter.List(k, v); wrong != nil {
			return wrong
		}
		for _, e := range v.([]any) {
			s, ok := e.(string)
			if !ok {
				return parameter.List(k, e)
			}
			if wrong := oneURI(dialer, s, by); wrong != nil {
				return wrong
			}
		}
		if len(v.([]any)) == 0 {
			return []string{k + " has no URI"}
		}
		return nil
	}
}

func oneURI(dialer *peer.Dialer, s, by string) []string {
	if err := dialer.CheckURI(s, by); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func deleteAfter(k string, v any) []string {
	switch v := v.(type) {
	case string:
		if v == "never" || v == "queue-length" {
			return nil
		}
	case json.Number:
		if n, err := v.Int64(); err == nil && n >= 0 {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s should be a number greater than or equal to 0, \"never\" "+
		"or \"queue-length\", actually was %s", k, parameter.Term(v))}
}
