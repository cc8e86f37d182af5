package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// parameter is what the API shows of a parameter.
type parameter struct {
	Component, Vhost, Name string
	Value                  any
}

// parametersPage is what the page of parameters, shovels and links shows.
type parametersPage struct {
	Parameters []parameter
	Globals    []parameter
	Shovels    []shovel
	Links      []federated
	Vhosts     []string
	Vhost      string
}

// shovel is how a shovel fares.
type shovel struct {
	Name, Vhost, State, Type, Reason string
	Source                           string `json:"src_uri"`
	SourceQueue                      string `json:"src_queue"`
	Target                           string `json:"dest_uri"`
	TargetQueue                      string `json:"dest_queue"`
	Timestamp                        string
}

// federated is how a link to an upstream fares.
type federated struct {
	Vhost, Upstream, URI, Status, Type string
	Exchange, Queue, Error             string
}

func showParameters(v *visit) error {
	var p parametersPage
	if err := v.get(path("parameters"), nil, &p.Parameters); err != nil {
		return err
	}
	if err := v.get(path("global-parameters"), nil, &p.Globals); err != nil {
		return err
	}
	// These two are for who monitors.
	if err := v.get(path("shovels"), nil, &p.Shovels); err != nil {
		p.Shovels = nil
	}
	if err := v.get(path("federation-links"), nil, &p.Links); err != nil {
		p.Links = nil
	}
	var err error
	if p.Vhosts, err = v.vhosts(); err != nil {
		return err
	}
	return v.show("parameters", "Parameters", &p)
}

func (v *visit) parameterPath() string {
	if v.field("component") == "" {
		return path("global-parameters", v.field("name"))
	}
	return path("parameters", v.field("component"), v.field("vhost"), v.field("name"))
}

func putParameter(v *visit) error {
	text := strings.TrimSpace(v.field("value"))
	if !json.Valid([]byte(text)) {
		return wrong("The value is not JSON.")
	}
	err := v.change(http.MethodPut, v.parameterPath(),
		map[string]any{"value": json.RawMessage(text)}, nil)
	if err != nil {
		return err
	}
	return v.done("/parameters", "Parameter %q is saved.", v.field("name"))
}

func deleteParameter(v *visit) error {
	if err := v.change(http.MethodDelete, v.parameterPath(), nil, nil); err != nil {
		return err
	}
	return v.done("/parameters", "Parameter %q is deleted.", v.field("name"))
}

// putShovel makes a shovel of the usual fields; others are set as a parameter.
func putShovel(v *visit) error {
	value := map[string]any{"src-protocol": "amqp091", "dest-protocol": "amqp091"}
	for field, name := range map[string]string{
		"src_uri": "src-uri", "src_queue": "src-queue", "src_exchange": "src-exchange",
		"src_key": "src-exchange-key", "dest_uri": "dest-uri", "dest_queue": "dest-queue",
		"dest_exchange": "dest-exchange", "dest_key": "dest-exchange-key",
		"ack": "ack-mode", "after": "src-delete-after",
	} {
		if x := v.field(field); x != "" {
			value[name] = x
		}
	}
	if n, ok := parseValue(v.field("prefetch")).(json.Number); ok {
		value["src-prefetch-count"] = n
	}
	at := path("parameters", "shovel", v.field("vhost"), v.field("name"))
	if err := v.change(http.MethodPut, at, map[string]any{"value": value}, nil); err != nil {
		return err
	}
	return v.done("/parameters", "Shovel %q is saved.", v.field("name"))
}

// moveMessages has a shovel take what is in a queue to another one, as RabbitMQ's pages do.
func moveMessages(v *visit) error {
	vhost, queue, to := v.field("vhost"), v.field("queue"), v.field("to")
	if to == "" {
		return wrong("A name is missing.")
	}
	here := "amqp:///" + url.PathEscape(vhost)
	at := path("parameters", "shovel", vhost, "Move from "+queue)
	err := v.change(http.MethodPut, at, map[string]any{"value": map[string]any{
		"src-protocol": "amqp091", "src-uri": here, "src-queue": queue,
		"src-delete-after": "queue-length", "dest-protocol": "amqp091", "dest-uri": here,
		"dest-queue": to, "ack-mode": "on-confirm", "dest-add-forward-headers": false,
	}}, nil)
	if err != nil {
		return err
	}
	return v.done(queueLink(vhost, queue), "The messages are being moved to %q.", to)
}

func restartShovel(v *visit) error {
	at := path("shovels", "vhost", v.field("vhost"), v.field("name")) + "/restart"
	if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
		return err
	}
	return v.done("/parameters", "Shovel %q is started again.", v.field("name"))
}
