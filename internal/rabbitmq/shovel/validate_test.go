package shovel

import (
	"encoding/json"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
)

// wrongDefinition is a definition that is refused.
type wrongDefinition struct {
	name   string
	change string // what is added to a valid definition, or takes its place
	whole  bool
	want   string // in the reason
	ours   bool   // RabbitMQ says something else, or nothing
}

// valid is changed by the rows below.
const valid = `"src-uri":"amqp://","src-queue":"s","dest-uri":"amqp://","dest-queue":"d"`

// wrongDefinitions have RabbitMQ's texts; test/compat/link asks a real one.
func wrongDefinitions() []wrongDefinition {
	return []wrongDefinition{
		{"nothing", `{}`, true, `Key "src-uri" not found in w`, false},
		{"no destination", `{"src-uri":"amqp://","src-queue":"q"}`, true,
			`Key "dest-uri" not found in w`, false},
		{"no source", `{"src-uri":"amqp://","dest-uri":"amqp://"}`, true,
			"Must specify 'src-exchange' or 'src-queue'", false},
		{"two sources", `"src-exchange":"x"`, false,
			"Cannot specify 'src-exchange' and 'src-queue'", false},
		{"two destinations", `"dest-exchange":"x"`, false,
			"Cannot specify 'dest-exchange' and 'dest-queue'", false},
		{"unknown", `"x":1,"a":"b"`, false,
			`Unrecognised terms [{<<"a">>,<<"b">>},{<<"x">>,1}] in w`, false},
		{"number", `"reconnect-delay":"5"`, false,
			`reconnect-delay should be a number, actually was <<"5">>`, false},
		{"prefetch", `"src-prefetch-count":[]`, false,
			`src-prefetch-count should be a number, actually was []`, false},
		{"mode", `"ack-mode":"never"`, false, `ack-mode should be one of ` +
			`[<<"no-ack">>,<<"on-publish">>,<<"on-confirm">>], actually was <<"never">>`, false},
		{"mode's type", `"ack-mode":true`, false,
			`ack-mode should be binary, actually was true`, false},
		{"protocol", `"src-protocol":"amqp09"`, false, `src-protocol should be one of ` +
			`[<<"amqp10">>,<<"amqp091">>], actually was <<"amqp09">>`, true}, // it breaks there
		{"bool", `"dest-add-forward-headers":"yes"`, false,
			`dest-add-forward-headers should be boolean, actually was <<"yes">>`, false},
		{"text", `"src-exchange-key":7`, false,
			`src-exchange-key should be binary, actually was 7`, false},
		{"long name", `"dest-queue":"` + strings.Repeat("x", 256) + `"`, false,
			"dest-queue should be less than 255 bytes, actually was 256", false},
		{"after", `"src-delete-after":"soon"`, false, `src-delete-after should be a number ` +
			`greater than or equal to 0, "never" or "queue-length", actually was <<"soon">>`,
			false},
		{"after 1.5", `"delete-after":1.5`, false, `delete-after should be a number ` +
			`greater than or equal to 0, "never" or "queue-length", actually was 1.5`, false},
		{"after -1", `"delete-after":-1`, false, "actually was -1", false},
		{"unsafe end", `"src-delete-after":5,"ack-mode":"no-ack"`, false,
			"Cannot specify 'no-ack' and numerical 'delete-after'", false},
		{"property", `"dest-publish-properties":{"priority":"high"}`, false,
			`priority should be a number, actually was <<"high">>`, false},
		{"unknown property", `"dest-publish-properties":{"headers":1}`, false,
			`Unrecognised terms [{<<"headers">>,1}] in dest-publish-properties`, false},
		{"no URI", `"dest-uri":7`, false, `dest-uri should be list, actually was 7`, false},
		{"list of URIs", `"dest-uri":[7]`, false, `dest-uri should be list, actually was 7`, false},
		{"empty list", `"dest-uri":[]`, false, `dest-uri has no URI`, true},
		{"scheme", `"dest-uri":"http://h"`, false, `"http://h" not a valid URI: ` +
			`{{unexpected_uri_scheme,"http"},"http://h"}`, false},
		{"in clear", `"dest-uri":"amqp://u:hidden@far.example:5672/v"`, false,
			`"amqp://far.example:5672/v": other machines are reached over TLS only`, true},
		{"not verified", `"src-uri":["amqps://h?verify=verify_none"]`, false,
			"servers are always verified", true},
		{"AMQP 1.0", `"src-protocol":"amqp10","src-address":"/queues/q"`, false,
			"src-protocol: shovels over the protocol amqp10 are not supported here", true},
		{"local", `"dest-protocol":"local"`, false, "protocol local are not supported", true},
		{"arguments", `"src-queue-args":[1]`, false, "src-queue-args not a list [1]", true},
		{"no object", `[]`, true, `w not a list []`, true},
	}
}

func (w wrongDefinition) value() json.RawMessage {
	if w.whole {
		return json.RawMessage(w.change)
	}
	// Of two keys of one name the last one counts.
	return json.RawMessage("{" + valid + "," + w.change + "}")
}

// TestWrongDefinitions: each is refused with the reason, which shows no password.
func TestWrongDefinitions(t *testing.T) {
	t.Parallel()
	check := Validate(peer.New(peer.Config{}))
	for _, w := range wrongDefinitions() {
		err := check(rabbitmq.Parameter{
			Component: Component, Vhost: "/", Name: "w", Value: w.value(),
		})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), w.want) ||
			strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %s", w.name, err, w.want)
		}
	}
	err := check(rabbitmq.Parameter{Name: "w", Value: json.RawMessage("{" + valid + "}")})
	if err != nil {
		t.Error(err)
	}
}

// FuzzDefinition: no JSON makes the check or the reading panic, and what passes the check
// can be read.
func FuzzDefinition(f *testing.F) {
	for _, w := range wrongDefinitions() {
		f.Add(string(w.value()))
	}
	f.Add(`{"src-uri":["amqps://h","amqp:///v"],"src-exchange":"x","src-exchange-key":"k",
		"dest-uri":"amqp://","dest-exchange":"y","dest-publish-properties":{"timestamp":1e300,
		"delivery_mode":-5,"user_id":"u"},"src-consumer-args":{"a":[1,{"b":null}],"c":1e999},
		"reconnect-delay":1e300,"src-prefetch-count":-1,"delete-after":"queue-length",
		"src-delete-after":9223372036854775807}`)
	dialer := peer.New(peer.Config{})
	f.Fuzz(func(t *testing.T, text string) {
		p := rabbitmq.Parameter{Vhost: "/", Name: "f", Value: json.RawMessage(text)}
		if Validate(dialer)(p) != nil {
			return
		}
		d, err := parse(p.Value, p.By)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d.source.prefetch < 0 || d.delay < 0 || len(d.source.uris) == 0 ||
			d.source.count < -1 || d.source.arguments == nil {
			t.Errorf("%s: %+v", text, d)
		}
		for k, v := range d.destination.properties {
			set(new(amqp.Publishing), k, v)
		}
	})
}
