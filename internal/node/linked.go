package node

import (
	"encoding/json"

	"coffer/internal/rabbitmq/management"
	"coffer/internal/rabbitmq/shovel"
)

var _ management.Links = (*managed)(nil)

// Shovels is [management.Links]'s.
func (m *managed) Shovels() []management.Link {
	var list []management.Link
	for _, s := range m.links.shovels.List() {
		l := management.Link{Vhost: s.Vhost, Name: s.Name, Down: s.State == shovel.Terminated}
		list = append(list, m.filled(l, s))
	}
	return list
}

// RestartShovel is [management.Links]'s.
func (m *managed) RestartShovel(vhost, name string) error {
	return m.links.shovels.Restart(vhost, name)
}

// FederationLinks is [management.Links]'s.
func (m *managed) FederationLinks() []management.Link {
	var list []management.Link
	for _, s := range m.links.federation.List() {
		l := management.Link{Vhost: s.Vhost, Name: s.Name, Down: s.Down()}
		list = append(list, m.filled(l, s))
	}
	return list
}

// RestartFederation is [management.Links]'s.
func (m *managed) RestartFederation(vhost, id string) error {
	return m.links.federation.Restart(vhost, id)
}

// filled gives a link the fields that its status shows.
func (m *managed) filled(l management.Link, status json.Marshaler) management.Link {
	text, err := status.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &l.Fields)
	}
	if err != nil { // nothing in it can fail
		m.fleet.n.log.Error("show a link", "error", err)
		l.Fields = map[string]any{"vhost": l.Vhost, "name": l.Name}
	}
	return l
}
