package rabbitmq

import (
	"context"
	"encoding/json"

	"coffer/internal/fault"
)

// Definitions are the definitions of a broker or of one virtual host, as RabbitMQ
// writes them to files.
type Definitions struct {
	Product          string             `json:"product_name,omitempty"`
	RabbitVersion    string             `json:"rabbit_version,omitempty"`
	RabbitMQVersion  string             `json:"rabbitmq_version,omitempty"`
	ProductVersion   string             `json:"product_version,omitempty"`
	Users            []DefinedUser      `json:"users,omitempty"`
	Vhosts           []DefinedVhost     `json:"vhosts,omitempty"`
	Permissions      []Permission       `json:"permissions,omitempty"`
	TopicPermissions []TopicPermission  `json:"topic_permissions,omitempty"`
	Parameters       []DefinedParameter `json:"parameters"`
	GlobalParameters []DefinedParameter `json:"global_parameters,omitempty"`
	Policies         []DefinedPolicy    `json:"policies"`
	Queues           []json.RawMessage  `json:"queues"`
	Exchanges        []json.RawMessage  `json:"exchanges"`
	Bindings         []json.RawMessage  `json:"bindings"`
}

// DefinedUser is a user in definitions.
type DefinedUser struct {
	Name string `json:"name"`
}

// DefinedVhost is a virtual host in definitions.
type DefinedVhost struct {
	Name string `json:"name"`
}

// DefinedParameter is a parameter in definitions.
type DefinedParameter struct {
	Component string          `json:"component,omitempty"`
	Vhost     string          `json:"vhost,omitempty"`
	Name      string          `json:"name"`
	Value     json.RawMessage `json:"value"`
}

// DefinedPolicy is a policy in definitions.
type DefinedPolicy struct {
	Name string `json:"name"`
}

// Export gives the definitions of the broker or, if vhost is not "", of a virtual host.
func (b *Broker) Export(context.Context, string) (Definitions, error) {
	return Definitions{}, fault.New(fault.NotImplemented, "export of definitions is not built")
}

// Import makes what definitions say, of the whole broker or, if vhost is not "", in a
// virtual host.
func (b *Broker) Import(context.Context, Definitions, string) error {
	return fault.New(fault.NotImplemented, "import of definitions is not built")
}
