package ui

import (
	"net/http"
)

// connection is what the API shows of a connection.
type connection struct {
	Name, User, Vhost, State, Protocol, Type string
	ClientName                               string `json:"user_provided_name"`
	Mechanism                                string `json:"auth_mechanism"`
	Channels                                 *float64
	ChannelMax                               *float64 `json:"channel_max"`
	FrameMax                                 *float64 `json:"frame_max"`
	Heartbeat                                *float64 `json:"timeout"`
	ConnectedAt                              *float64 `json:"connected_at"`
	Host                                     string
	Port                                     *float64
	PeerHost                                 string         `json:"peer_host"`
	PeerPort                                 *float64       `json:"peer_port"`
	Properties                               map[string]any `json:"client_properties"`
	TLS                                      bool           `json:"ssl"`
	TLSVersion                               string         `json:"ssl_protocol"`
	TLSCipher                                string         `json:"ssl_cipher"`
	PeerSubject                              string         `json:"peer_cert_subject"`
	PeerIssuer                               string         `json:"peer_cert_issuer"`
	PeerValidity                             string         `json:"peer_cert_validity"`
	Received                                 *float64       `json:"recv_oct"`
	Sent                                     *float64       `json:"send_oct"`
	ReceivedRate                             *details       `json:"recv_oct_details"`
	SentRate                                 *details       `json:"send_oct_details"`
}

// Client says what library a client uses, as it told.
func (c *connection) Client() string {
	product, _ := c.Properties["product"].(string)
	version, _ := c.Properties["version"].(string)
	if product == "" {
		product, _ = c.Properties["platform"].(string)
	}
	if version == "" {
		return product
	}
	return product + " " + version
}

func showConnections(v *visit) error {
	l, err := living[connection](v, "connections")
	if err != nil {
		return err
	}
	return v.show("connections", "Connections", l)
}

// living asks for a list of who is connected, whose virtual hosts have a path of their own.
func living[T any](v *visit, of string) (*listing[T], error) {
	return listedAt[T](v, func(vhost string) string {
		if vhost == "" {
			return path(of)
		}
		return path("vhosts", vhost) + "/" + of
	})
}

// connectionPage is what the page of a connection shows.
type connectionPage struct {
	Connection connection
	Channels   []channel
}

func showConnection(v *visit) error {
	var p connectionPage
	at := path("connections", v.field("name"))
	if err := v.get(at, nil, &p.Connection); err != nil {
		return err
	}
	if err := v.get(at+"/channels", nil, &p.Channels); err != nil {
		return err
	}
	return v.show("connection", "Connection "+p.Connection.Name, &p)
}

func closeConnection(v *visit) error {
	name := v.field("name")
	head := http.Header{}
	if reason := v.field("reason"); reason != "" {
		head.Set("X-Reason", reason)
	}
	if _, err := v.ask(http.MethodDelete, path("connections", name), nil, head); err != nil {
		return err
	}
	return v.done("/connections", "The connection %s is being closed.", name)
}
