package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// queue is what the API shows of a queue.
type queue struct {
	Name, Vhost, Type, State string
	Durable                  bool
	AutoDelete               bool `json:"auto_delete"`
	Exclusive                bool
	Arguments                map[string]any
	Policy                   string
	OperatorPolicy           string         `json:"operator_policy"`
	Effective                map[string]any `json:"effective_policy_definition"`

	Messages, Consumers, Memory *float64
	Ready                       *float64 `json:"messages_ready"`
	Unacked                     *float64 `json:"messages_unacknowledged"`
	Persistent                  *float64 `json:"messages_persistent"`
	Bytes                       *float64 `json:"message_bytes"`
	ReadyBytes                  *float64 `json:"message_bytes_ready"`
	UnackedBytes                *float64 `json:"message_bytes_unacknowledged"`
	PersistentBytes             *float64 `json:"message_bytes_persistent"`
	Capacity                    *float64 `json:"consumer_capacity"`
	IdleSince                   string   `json:"idle_since"`
	Leader                      string
	Stats                       *stats          `json:"message_stats"`
	Clients                     json.RawMessage `json:"consumer_details"`
	Active                      string          `json:"single_active_consumer_tag"`
	Owner                       struct {
		Name string
	} `json:"owner_pid_details"`
}

// stats are the counters of messages.
type stats struct {
	Publish     *float64
	Published   *details `json:"publish_details"`
	Confirmed   *details `json:"confirm_details"`
	Delivered   *details `json:"deliver_details"`
	Automatic   *details `json:"deliver_no_ack_details"`
	Got         *details `json:"get_details"`
	Taken       *details `json:"deliver_get_details"`
	Acked       *details `json:"ack_details"`
	Redelivered *details `json:"redeliver_details"`
	Returned    *details `json:"return_unroutable_details"`
	In          *details `json:"publish_in_details"`
	Out         *details `json:"publish_out_details"`
}

// RunState is the state of the queue as RabbitMQ's pages show it.
func (q *queue) RunState() string {
	if q.IdleSince != "" && q.State == "running" {
		return "idle"
	}
	return q.State
}

// consumer is what the API shows of a consumer.
type consumer struct {
	Tag       string `json:"consumer_tag"`
	Ack       bool   `json:"ack_required"`
	Exclusive bool
	Active    bool
	Activity  string   `json:"activity_status"`
	Prefetch  *float64 `json:"prefetch_count"`
	Arguments map[string]any
	Queue     struct{ Name, Vhost string }
	Channel   struct {
		Name       string
		Connection string `json:"connection_name"`
	} `json:"channel_details"`
}

// queuesPage is what the list of queues shows.
type queuesPage struct {
	*listing[queue]
}

func showQueues(v *visit) error {
	l, err := listed[queue](v, "queues")
	if err != nil {
		return err
	}
	return v.show("queues", "Queues", queuesPage{l})
}

// queuePage is what the page of a queue shows.
type queuePage struct {
	Queue     queue
	Consumers []consumer
	Bindings  *listing[binding]
	Got       []message
	DidGet    bool
}

func showQueue(v *visit) error { return v.showQueue(nil, false) }

func (v *visit) showQueue(got []message, did bool) error {
	vhost, name := v.field("vhost"), v.field("queue")
	p := queuePage{Got: got, DidGet: did}
	if err := v.get(path("queues", vhost, name), nil, &p.Queue); err != nil {
		return err
	}
	if len(p.Queue.Clients) > 0 {
		if err := json.Unmarshal(p.Queue.Clients, &p.Consumers); err != nil {
			return err
		}
	}
	var all []binding
	if err := v.get(path("queues", vhost, name)+"/bindings", nil, &all); err != nil {
		return err
	}
	p.Bindings = slice(v, all, func(b binding) string { return b.Source + " " + b.Key })
	v.fresh = queueLink(vhost, name)
	return v.show("queue", "Queue "+name, &p)
}

// queueLink is the page of a queue.
func queueLink(vhost, name string) string {
	return link("/queue", "vhost", vhost, "queue", name)
}

func declareQueue(v *visit) error {
	vhost, name := v.field("vhost"), v.field("queue")
	arguments, err := parseArguments(v.field("arguments"))
	if err != nil {
		return err
	}
	if t := v.field("type"); t != "" && t != "default" {
		arguments["x-queue-type"] = t
	}
	err = v.change(http.MethodPut, path("queues", vhost, name), map[string]any{
		"durable": v.field("durable") != "false", "auto_delete": v.field("auto_delete") == "true",
		"arguments": arguments,
	}, nil)
	if err != nil {
		return err
	}
	return v.done(queueLink(vhost, name), "Queue %q is declared.", name)
}

func purgeQueue(v *visit) error {
	vhost, name := v.field("vhost"), v.field("queue")
	err := v.change(http.MethodDelete, path("queues", vhost, name)+"/contents", nil, nil)
	if err != nil {
		return err
	}
	return v.done(queueLink(vhost, name), "Queue %q is purged.", name)
}

func deleteQueue(v *visit) error {
	vhost, name := v.field("vhost"), v.field("queue")
	q := url.Values{}
	for _, only := range []string{"if-unused", "if-empty"} {
		if v.field(only) == "true" {
			q.Set(only, "true")
		}
	}
	at := path("queues", vhost, name)
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
		return err
	}
	return v.done("/queues", "Queue %q is deleted.", name)
}

// errNotText: JSON, which goes to the API, could not hold the text as it is.
var errNotText = &refusal{http.StatusBadRequest, "The text is not UTF-8."}

// parseArguments reads lines of name = value. A value is JSON where it can be, else
// a text.
func parseArguments(text string) (map[string]any, error) {
	all := map[string]any{}
	if !utf8.ValidString(text) {
		return nil, errNotText
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return nil, wrong("Arguments are lines of the form: name = value")
		}
		if _, twice := all[name]; twice {
			return nil, wrong("There are two arguments of the name %s.", name)
		}
		all[name] = parseValue(value)
	}
	return all, nil
}

// parseValue reads JSON, or else takes the text as it is.
func parseValue(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.InputOffset() != int64(len(text)) || v == nil {
		return text
	}
	return v
}
