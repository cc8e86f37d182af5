package rabbitmq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"coffer/internal/fault"
)

// Version is that of the RabbitMQ that is followed; definitions files name it.
const Version = "4.1.0"

// Definitions are what RabbitMQ writes to definitions files: everything of a broker, or
// what is in one virtual host. A nil list is not written. Read from JSON, what is not
// known is passed over, as are items of lists that are no objects.
type Definitions struct {
	RabbitVersion   string `json:"rabbit_version,omitempty"`
	RabbitMQVersion string `json:"rabbitmq_version,omitempty"`
	Product         string `json:"product_name,omitempty"`
	ProductVersion  string `json:"product_version,omitempty"`
	Format          string `json:"rabbitmq_definition_format,omitempty"`
	OriginalCluster string `json:"original_cluster_name,omitempty"`

	// Of one virtual host:
	OriginalVhost    string         `json:"original_vhost_name,omitempty"`
	Description      string         `json:"description,omitempty"`
	DefaultQueueType string         `json:"default_queue_type,omitempty"`
	Metadata         *VhostMetadata `json:"metadata,omitempty"`

	// Of a broker:
	Users            []DefinedUser      `json:"users,omitzero"`
	Vhosts           []DefinedVhost     `json:"vhosts,omitzero"`
	Permissions      []Permission       `json:"permissions,omitzero"`
	TopicPermissions []TopicPermission  `json:"topic_permissions,omitzero"`
	GlobalParameters []DefinedParameter `json:"global_parameters,omitzero"`

	Parameters []DefinedParameter `json:"parameters,omitzero"`
	Policies   []DefinedPolicy    `json:"policies,omitzero"`
	Queues     []DefinedQueue     `json:"queues,omitzero"`
	Exchanges  []DefinedExchange  `json:"exchanges,omitzero"`
	Bindings   []DefinedBinding   `json:"bindings,omitzero"`
}

// DefinedUser is a user in definitions. A user whose password is kept as argon2id has an
// empty hash: a RabbitMQ that imports the file lets nobody in by it, and Coffer takes
// Argon2id.
type DefinedUser struct {
	Name          string          `json:"name"`
	PasswordHash  *string         `json:"password_hash,omitempty"`
	Algorithm     string          `json:"hashing_algorithm,omitempty"`
	Tags          *Tags           `json:"tags,omitempty"`
	Limits        Limits          `json:"limits"`
	Argon2id      string          `json:"argon2id,omitempty"`
	Password      *Password       `json:"password,omitempty"`      // read only
	Administrator json.RawMessage `json:"administrator,omitempty"` // the same, of old files
}

// DefinedVhost is a virtual host in definitions.
type DefinedVhost struct {
	Name             string         `json:"name"`
	Description      string         `json:"description"`
	Tags             Tags           `json:"tags"`
	DefaultQueueType string         `json:"default_queue_type,omitempty"`
	Metadata         *VhostMetadata `json:"metadata,omitempty"`
}

// VhostMetadata says of a virtual host what its definition says, again.
type VhostMetadata struct {
	Description      string `json:"description"`
	Tags             Tags   `json:"tags"`
	DefaultQueueType string `json:"default_queue_type,omitempty"`
}

// DefinedParameter is a parameter in definitions; global ones have a name only.
type DefinedParameter struct {
	Value     json.RawMessage `json:"value"`
	Vhost     string          `json:"vhost,omitempty"`
	Component string          `json:"component,omitempty"`
	Name      string          `json:"name"`
}

// DefinedPolicy is a policy in definitions.
type DefinedPolicy struct {
	Vhost      string         `json:"vhost,omitempty"`
	Name       string         `json:"name"`
	Pattern    string         `json:"pattern"`
	ApplyTo    string         `json:"apply-to"`
	Definition map[string]any `json:"definition"`
	Priority   json.Number    `json:"priority"`
}

// DefinedQueue is a queue in definitions.
type DefinedQueue struct {
	Name       string    `json:"name"`
	Vhost      string    `json:"vhost,omitempty"`
	Durable    bool      `json:"durable"`
	AutoDelete bool      `json:"auto_delete"`
	Arguments  Arguments `json:"arguments"`
	Type       string    `json:"type,omitempty"` // what the arguments say, for readers
}

// DefinedExchange is an exchange in definitions.
type DefinedExchange struct {
	Name       string    `json:"name"`
	Vhost      string    `json:"vhost,omitempty"`
	Type       string    `json:"type"`
	Durable    bool      `json:"durable"`
	AutoDelete bool      `json:"auto_delete"`
	Internal   bool      `json:"internal"`
	Arguments  Arguments `json:"arguments"`
}

// DefinedBinding is a binding in definitions.
type DefinedBinding struct {
	Source          string    `json:"source"`
	Vhost           string    `json:"vhost,omitempty"`
	Destination     string    `json:"destination"`
	DestinationType string    `json:"destination_type"` // "queue" or "exchange"
	RoutingKey      string    `json:"routing_key"`
	Arguments       Arguments `json:"arguments"`
}

// Tags are a list; a text with commas is read as one.
type Tags []string

// UnmarshalJSON is [json.Unmarshaler]'s.
func (t *Tags) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*t = Tags{}
		for tag := range strings.SplitSeq(text, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				*t = append(*t, tag)
			}
		}
		return nil
	}
	var list []string
	err := json.Unmarshal(b, &list)
	*t = list
	return err
}

// MarshalJSON is [json.Marshaler]'s: no tags are a list of none.
func (t Tags) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, t...)) }

// Limits are an object of numbers; an empty list is read as one of none.
type Limits map[string]int64

// UnmarshalJSON is [json.Unmarshaler]'s.
func (l *Limits) UnmarshalJSON(b []byte) error {
	return unmarshalObject(b, (*map[string]int64)(l))
}

// MarshalJSON is [json.Marshaler]'s.
func (l Limits) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]int64(l))
}

// Arguments are an object; an empty list is read as one without members. Numbers are
// json.Number.
type Arguments map[string]any

// UnmarshalJSON is [json.Unmarshaler]'s.
func (a *Arguments) UnmarshalJSON(b []byte) error {
	return unmarshalObject(b, (*map[string]any)(a))
}

// MarshalJSON is [json.Marshaler]'s.
func (a Arguments) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]any(a))
}

// unmarshalObject reads an object, or an empty list as one.
func unmarshalObject(b []byte, to any) error {
	if bytes.Equal(bytes.Join(bytes.Fields(b), nil), []byte("[]")) {
		b = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(to)
}

// Password is one in clear. It is read, and never written.
type Password []byte

// UnmarshalJSON is [json.Unmarshaler]'s.
func (p *Password) UnmarshalJSON(b []byte) error {
	var text string
	err := json.Unmarshal(b, &text)
	*p = Password(text)
	return err
}

// MarshalJSON is [json.Marshaler]'s.
func (Password) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// String is [fmt.Stringer]'s.
func (Password) String() string { return "***" }

// UnmarshalJSON is [json.Unmarshaler]'s. Errors are [fault.Invalid].
func (d *Definitions) UnmarshalJSON(text []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil || all == nil {
		return fault.New(fault.Invalid, "failed_to_parse_json")
	}
	for _, err := range []error{
		items(all, "users", &d.Users), items(all, "vhosts", &d.Vhosts),
		items(all, "permissions", &d.Permissions),
		items(all, "topic_permissions", &d.TopicPermissions),
		items(all, "global_parameters", &d.GlobalParameters),
		items(all, "parameters", &d.Parameters), items(all, "policies", &d.Policies),
		items(all, "queues", &d.Queues), items(all, "exchanges", &d.Exchanges),
		items(all, "bindings", &d.Bindings),
	} {
		if err != nil {
			return err
		}
	}
	for key, to := range map[string]*string{
		"rabbit_version": &d.RabbitVersion, "rabbitmq_version": &d.RabbitMQVersion,
		"product_name": &d.Product, "product_version": &d.ProductVersion,
		"rabbitmq_definition_format": &d.Format, "original_vhost_name": &d.OriginalVhost,
	} {
		if json.Unmarshal(all[key], to) != nil {
			*to = "" // it says nothing that matters
		}
	}
	return nil
}

// items reads a list of objects and passes over what is none.
func items[T any](all map[string]json.RawMessage, key string, to *[]T) error {
	text, ok := all[key]
	if !ok || bytes.Equal(text, []byte("null")) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		return fault.New(fault.Invalid, "%s: not a list", key)
	}
	*to = make([]T, 0, len(list))
	for i, item := range list {
		if !bytes.HasPrefix(item, []byte("{")) {
			continue
		}
		var x T
		dec := json.NewDecoder(bytes.NewReader(item))
		dec.UseNumber()
		if err := dec.Decode(&x); err != nil {
			return fault.Wrap(fault.Invalid, err, describe(key, i, err))
		}
		*to = append(*to, x)
	}
	return nil
}

// describe names what could not be read, without showing what stands there.
func describe(key string, i int, err error) string {
	text := fmt.Sprintf("item %d of %s is malformed", i+1, key)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		text += ": " + e.Field
	}
	return text
}

// one gives the definitions of a virtual host as if the whole file were about it.
func (d Definitions) one(vhost string) Definitions {
	d.Users, d.Vhosts, d.Permissions, d.TopicPermissions = nil, nil, nil, nil
	d.GlobalParameters = nil
	d.Parameters, d.Policies = slices.Clone(d.Parameters), slices.Clone(d.Policies)
	d.Queues, d.Exchanges = slices.Clone(d.Queues), slices.Clone(d.Exchanges)
	d.Bindings = slices.Clone(d.Bindings)
	for i := range d.Parameters {
		d.Parameters[i].Vhost = vhost
	}
	for i := range d.Policies {
		d.Policies[i].Vhost = vhost
	}
	for i := range d.Queues {
		d.Queues[i].Vhost = vhost
	}
	for i := range d.Exchanges {
		d.Exchanges[i].Vhost = vhost
	}
	for i := range d.Bindings {
		d.Bindings[i].Vhost = vhost
	}
	return d
}
