package shovel

import (
	"encoding/json"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq/parameter"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/relay"
)

// Defaults of definitions.
const (
	defaultPrefetch = 1000
	defaultDelay    = 5 * time.Second
	maxDelay        = 24 * time.Hour
)

// definition is what a parameter says.
type definition struct {
	source      source
	destination destination
	mode        relay.Mode
	delay       time.Duration // before it is tried again; 0: it is not
}

type source struct {
	uris        []*peer.URI
	queue       string // "": a queue of its own at exchange
	exchange    string
	key         string
	arguments   amqp.Table // to declare queue with
	consumer    amqp.Table
	prefetch    int
	predeclared bool
	all         bool  // to be deleted after as many messages as there were at the start
	count       int64 // to be deleted after so many; relay.Unlimited
}

type destination struct {
	uris           []*peer.URI
	queue          *string
	exchange, key  *string // nil: that of the message
	arguments      amqp.Table
	predeclared    bool
	forwardHeaders bool
	timestamp      bool
	properties     map[string]any
}

// parse reads a valid parameter, which a user has set.
func parse(value []byte, by string) (*definition, error) {
	v, err := parameter.Decode(value)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the definition is not JSON")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "the definition is not an object")
	}
	d := &definition{delay: defaultDelay}
	if d.mode, ok = relay.ParseMode(text(o, "ack-mode")); !ok {
		return nil, fault.New(fault.Invalid, "the ack-mode is unknown")
	}
	if n, ok := o["reconnect-delay"].(json.Number); ok {
		seconds, _ := n.Float64()
		d.delay = time.Duration(min(max(seconds, 0), maxDelay.Seconds()) * float64(time.Second))
	}
	if err := d.source.parse(o, by); err != nil {
		return nil, err
	}
	return d, d.destination.parse(o, by)
}

func (s *source) parse(o map[string]any, by string) (err error) {
	if s.uris, err = uris(o["src-uri"], by); err != nil {
		return err
	}
	s.queue, s.exchange = text(o, "src-queue"), text(o, "src-exchange")
	s.key = text(o, "src-exchange-key")
	s.arguments, s.consumer = table(o["src-queue-args"]), table(o["src-consumer-args"])
	s.predeclared, _ = o["src-predeclared"].(bool)
	s.prefetch, s.count = defaultPrefetch, relay.Unlimited
	for _, k := range []string{"prefetch-count", "src-prefetch-count"} {
		if n, ok := o[k].(json.Number); ok {
			f, _ := n.Float64()
			s.prefetch = int(min(max(f, 0), relay.MaxWindow))
		}
	}
	for _, k := range []string{"delete-after", "src-delete-after"} {
		switch v := o[k].(type) {
		case json.Number:
			n, err := v.Int64()
			if err != nil || n < 0 {
				n = 0
			}
			s.count, s.all = n, false
		case string:
			s.count, s.all = relay.Unlimited, v == "queue-length"
		}
	}
	return nil
}

func (d *destination) parse(o map[string]any, by string) (err error) {
	if d.uris, err = uris(o["dest-uri"], by); err != nil {
		return err
	}
	d.queue, d.exchange, d.key = optional(o, "dest-queue"), optional(o, "dest-exchange"),
		optional(o, "dest-exchange-key")
	d.arguments = table(o["dest-queue-args"])
	d.predeclared, _ = o["dest-predeclared"].(bool)
	for _, prefix := range []string{"", "dest-"} {
		if v, ok := o[prefix+"add-forward-headers"].(bool); ok {
			d.forwardHeaders = v
		}
		if v, ok := o[prefix+"add-timestamp-header"].(bool); ok {
			d.timestamp = v
		}
		if v, ok := o[prefix+"publish-properties"].(map[string]any); ok {
			d.properties = v
		}
	}
	return nil
}

func text(o map[string]any, key string) string {
	s, _ := o[key].(string)
	return s
}

func optional(o map[string]any, key string) *string {
	if s, ok := o[key].(string); ok {
		return &s
	}
	return nil
}

// uris reads one URI or a list. As in RabbitMQ one without a path is of "/".
func uris(v any, by string) (list []*peer.URI, err error) {
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, e := range all {
		s, _ := e.(string)
		u, err := peer.ParseURI(s, "/")
		if err == nil {
			err = u.ActFor(by)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "a URI")
		}
		list = append(list, u)
	}
	return list, nil
}

// table makes arguments of JSON, as rabbit_misc:to_amqp_table does.
func table(v any) amqp.Table {
	o, _ := v.(map[string]any)
	t := amqp.Table{}
	for k, e := range o {
		t[k] = field(e)
	}
	return t
}

func field(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			f = math.Inf(1)
		}
		return f
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = field(e)
		}
		return list
	case map[string]any:
		return table(v)
	}
	return v
}
