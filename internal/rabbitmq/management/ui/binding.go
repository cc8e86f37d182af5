package ui

import (
	"net/http"
	"net/url"
)

// defaultExchange is how the API's paths name the exchange without a name.
const defaultExchange = "amq.default"

// binding is what the API shows of a binding.
type binding struct {
	Source, Vhost, Destination string
	Kind                       string `json:"destination_type"`
	Key                        string `json:"routing_key"`
	Properties                 string `json:"properties_key"`
	Arguments                  map[string]any
}

// bindingPath is where the bindings between two ends are.
func (v *visit) bindingPath() string {
	kind := "q"
	if v.field("destination_type") == "exchange" {
		kind = "e"
	}
	return path("bindings", v.field("vhost"), "e", v.field("source"), kind,
		v.field("destination"))
}

// back is the page that a form about bindings is on.
func (v *visit) back() string {
	if q := v.field("queue"); q != "" {
		return queueLink(v.field("vhost"), q)
	}
	return exchangeLink(v.field("vhost"), v.field("exchange"))
}

func bind(v *visit) error {
	arguments, err := parseArguments(v.field("arguments"))
	if err != nil {
		return err
	}
	err = v.change(http.MethodPost, v.bindingPath(), map[string]any{
		"routing_key": v.field("routing_key"), "arguments": arguments,
	}, nil)
	if err != nil {
		return err
	}
	return v.done(v.back(), "%q is bound to %q.", v.field("destination"), v.field("source"))
}

func unbind(v *visit) error {
	at := v.bindingPath() + "/" + url.PathEscape(v.field("properties_key"))
	if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
		return err
	}
	return v.done(v.back(), "The binding is removed.")
}

// againBinding shows the page that a form about bindings or messages is on.
func againBinding(v *visit) error {
	if v.field("queue") == "" {
		return showExchange(v)
	}
	return showQueue(v)
}
