package ui

import (
	"net/http"
	"net/url"
)

// exchange is what the API shows of an exchange.
type exchange struct {
	Name, Vhost, Type string
	Durable, Internal bool
	AutoDelete        bool `json:"auto_delete"`
	Arguments         map[string]any
	Policy            string
	OperatorPolicy    string         `json:"operator_policy"`
	Effective         map[string]any `json:"effective_policy_definition"`
	Stats             *stats         `json:"message_stats"`
}

// Path is how the API's paths, and the pages', name the exchange.
func (x *exchange) Path() string {
	if x.Name == "" {
		return defaultExchange
	}
	return x.Name
}

// exchangesPage is what the list of exchanges shows.
type exchangesPage struct {
	*listing[exchange]
	Types []string
}

func showExchanges(v *visit) error {
	l, err := listed[exchange](v, "exchanges")
	if err != nil {
		return err
	}
	var o struct {
		Types []struct{ Name string } `json:"exchange_types"`
	}
	if err := v.get(path("overview"), url.Values{"columns": {"exchange_types"}}, &o); err != nil {
		return err
	}
	p := exchangesPage{listing: l}
	for _, t := range o.Types {
		p.Types = append(p.Types, t.Name)
	}
	return v.show("exchanges", "Exchanges", p)
}

// exchangePage is what the page of an exchange shows.
type exchangePage struct {
	Exchange exchange
	From     *listing[binding] // bindings to it
	To       *listing[binding] // bindings from it
}

func showExchange(v *visit) error {
	vhost, name := v.field("vhost"), v.field("exchange")
	if name == "" {
		name = defaultExchange
	}
	at := path("exchanges", vhost, name)
	var p exchangePage
	if err := v.get(at, nil, &p.Exchange); err != nil {
		return err
	}
	var from, to []binding
	if err := v.get(at+"/bindings/destination", nil, &from); err != nil {
		return err
	}
	if err := v.get(at+"/bindings/source", nil, &to); err != nil {
		return err
	}
	p.From = slice(v, from, func(b binding) string { return b.Source + " " + b.Key })
	p.To = slice(v, to, func(b binding) string { return b.Destination + " " + b.Key })
	return v.show("exchange", "Exchange "+exchangeName(p.Exchange.Name), &p)
}

// exchangeLink is the page of an exchange.
func exchangeLink(vhost, name string) string {
	return link("/exchange", "vhost", vhost, "exchange", name)
}

func declareExchange(v *visit) error {
	vhost, name := v.field("vhost"), v.field("exchange")
	arguments, err := parseArguments(v.field("arguments"))
	if err != nil {
		return err
	}
	err = v.change(http.MethodPut, path("exchanges", vhost, name), map[string]any{
		"type": v.field("type"), "durable": v.field("durable") != "false",
		"auto_delete": v.field("auto_delete") == "true",
		"internal":    v.field("internal") == "true", "arguments": arguments,
	}, nil)
	if err != nil {
		return err
	}
	return v.done(exchangeLink(vhost, name), "Exchange %q is declared.", name)
}

func deleteExchange(v *visit) error {
	at := path("exchanges", v.field("vhost"), v.field("exchange"))
	if v.field("if-unused") == "true" {
		at += "?if-unused=true"
	}
	if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
		return err
	}
	return v.done("/exchanges", "Exchange %q is deleted.", v.field("exchange"))
}
