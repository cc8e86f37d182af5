package ui

import (
	"encoding/json"
	"net/http"
)

// vhost is what the API shows of a virtual host.
type vhost struct {
	Name, Description string
	Tags              []string
	Type              string `json:"default_queue_type"`
	Messages          *float64
	Ready             *float64 `json:"messages_ready"`
	Unacked           *float64 `json:"messages_unacknowledged"`
	Received          *details `json:"recv_oct_details"`
	Sent              *details `json:"send_oct_details"`
	Stats             *stats   `json:"message_stats"`
}

func showVhosts(v *visit) error {
	l, err := listed[vhost](v, "vhosts")
	if err != nil {
		return err
	}
	l.Vhosts = nil // they are what is listed
	return v.show("vhosts", "Virtual hosts", l)
}

// vhostPage is what the page of a virtual host shows.
type vhostPage struct {
	Vhost       vhost
	Permissions []permission
	Limits      map[string]json.Number
}

func showVhost(v *visit) error {
	var p vhostPage
	name := v.field("vhost")
	at := path("vhosts", name)
	if err := v.get(at, nil, &p.Vhost); err != nil {
		return err
	}
	if err := v.get(at+"/permissions", nil, &p.Permissions); err != nil {
		return err
	}
	var limits []struct{ Value map[string]json.Number }
	if err := v.get(path("vhost-limits", name), nil, &limits); err == nil && len(limits) > 0 {
		p.Limits = limits[0].Value
	}
	return v.show("vhost", "Virtual host "+name, &p)
}

func vhostLink(name string) string { return link("/vhost", "vhost", name) }

func putVhost(v *visit) error {
	name := v.field("vhost")
	body := map[string]any{"description": v.field("description"), "tags": tags(v.field("tags"))}
	if t := v.field("type"); t != "" {
		body["default_queue_type"] = t
	}
	if err := v.change(http.MethodPut, path("vhosts", name), body, nil); err != nil {
		return err
	}
	return v.done(vhostLink(name), "Virtual host %q is saved.", name)
}

func deleteVhost(v *visit) error {
	name := v.field("vhost")
	if err := v.change(http.MethodDelete, path("vhosts", name), nil, nil); err != nil {
		return err
	}
	return v.done("/vhosts", "Virtual host %q is deleted.", name)
}

// putLimit sets or clears a limit of a virtual host, or of a user if the form has one.
func putLimit(v *visit) error {
	name, value := v.field("limit"), v.field("value")
	at, back := path("vhost-limits", v.field("vhost"), name), vhostLink(v.field("vhost"))
	if u := v.field("user"); u != "" {
		at, back = path("user-limits", u, name), userLink(u)
	}
	if value == "" {
		if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
			return err
		}
		return v.done(back, "The limit %s is gone.", name)
	}
	body := map[string]any{"value": json.Number(value)}
	if !json.Valid([]byte(value)) {
		return wrong("A limit is a whole number.")
	}
	if err := v.change(http.MethodPut, at, body, nil); err != nil {
		return err
	}
	return v.done(back, "The limit %s is %s.", name, value)
}

// againLimit shows the page that a form about limits is on.
func againLimit(v *visit) error {
	if v.field("user") != "" {
		return showUser(v)
	}
	return showVhost(v)
}
