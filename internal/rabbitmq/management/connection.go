package management

import (
	"net/http"
	"slices"
	"time"
)

// closedReason is what a client hears whose connection is closed without another reason.
const closedReason = "Closed via management plugin"

// maxReason bounds X-Reason, in octets; a reply text has at most 255.
const maxReason = 200

// connected lists the connections but for those that requests of this API have for a
// moment.
func (h *Handler) connected() []Connection {
	return slices.DeleteFunc(h.living.Connections(), func(x Connection) bool {
		return x.Direct && x.Properties["product"] == clientProduct
	})
}

// connections lists those that the user may see: its own, or all for monitoring; in the
// virtual host of the path, if there is one.
func (c *call) connections() []Connection {
	vhost, one := c.vars["vhost"]
	all := c.has(tagAdministrator, tagMonitoring)
	var list []Connection
	for _, x := range c.h.connected() {
		if (all || x.User == c.user) && (!one || x.Vhost == vhost) {
			list = append(list, x)
		}
	}
	return list
}

func listConnections(c *call) error {
	list := []object{}
	for _, x := range c.connections() {
		list = append(list, c.shownConnection(&x))
	}
	return c.pages(list, "vhost", "name")
}

// listOfUser answers with the connections of a user, in short.
func listOfUser(c *call) error {
	list := []object{}
	for _, x := range c.connections() {
		if x.User == c.vars["user"] {
			list = append(list, object{
				"name": x.Name, "node": c.h.cfg.Node, "user": x.User, "vhost": x.Vhost,
			})
		}
	}
	return c.list(list, "vhost", "name")
}

// connection gives the one of the path, if the user may see it.
func (c *call) connection() (*Connection, error) {
	for _, x := range c.h.connected() {
		if x.Name != c.vars["connection"] {
			continue
		}
		if x.User != c.user && !c.has(tagAdministrator, tagMonitoring) {
			return nil, notAuthorised("User not authorised to access object")
		}
		return &x, nil
	}
	return nil, missing()
}

func getConnection(c *call) error {
	x, err := c.connection()
	if err != nil {
		return err
	}
	return c.one(c.shownConnection(x))
}

// shownConnection gives the fields of a connection.
func (c *call) shownConnection(x *Connection) object {
	o := object{
		"name": x.Name, "user": x.User, "user_who_performed_action": x.User, "vhost": x.Vhost,
		"node": c.h.cfg.Node, "protocol": x.Protocol, "type": "network", "state": x.State,
		"auth_mechanism": x.Mechanism, "channels": len(x.Channels), "channel_max": x.ChannelMax,
		"frame_max": x.FrameMax, "timeout": int(x.Heartbeat / time.Second),
		"connected_at": x.ConnectedAt.UnixMilli(), "client_properties": x.Properties,
		"host": x.Host.Host, "port": x.Host.Port, "peer_host": x.Peer.Host,
		"peer_port": x.Peer.Port, "send_pend": x.SendPending, "send_cnt": x.SentCalls,
		"recv_cnt": x.ReceivedCalls, "ssl": x.TLS != nil,
	}
	if x.Properties == nil {
		o["client_properties"] = object{}
	}
	if x.Direct {
		o["type"], o["protocol"] = "direct", "Direct 0-9-1"
	}
	if x.ClientName != "" {
		o["user_provided_name"] = x.ClientName
	}
	var t TLS
	if x.TLS != nil {
		t = *x.TLS
	}
	for name, text := range map[string]string{
		"ssl_protocol": t.Protocol, "ssl_key_exchange": t.KeyExchange, "ssl_cipher": t.Cipher,
		"ssl_hash": t.Hash, "peer_cert_subject": t.PeerSubject, "peer_cert_issuer": t.PeerIssuer,
		"peer_cert_validity": t.PeerValidity,
	} {
		if o[name] = any(text); text == "" {
			o[name] = nil
		}
	}
	return c.count(o, "connection "+x.Name,
		count{"recv_oct", int64(x.ReceivedBytes)}, count{"send_oct", int64(x.SentBytes)})
}

// closeConnection answers DELETE /api/connections/{connection}.
func closeConnection(c *call) error {
	x, err := c.connection()
	if err != nil {
		return err
	}
	if x.User != c.user && !c.has(tagAdministrator) {
		return notAuthorised("User not authorised to access object")
	}
	c.h.living.CloseConnection(x.Name, c.reason())
	c.answer.status(http.StatusNoContent)
	return nil
}

// reason is what the client is told of why its connection is closed.
func (c *call) reason() string {
	reason := c.r.Header.Get("X-Reason")
	if reason == "" {
		return closedReason
	}
	return reason[:min(len(reason), maxReason)]
}

// closeOfUser closes the connections of a user.
func closeOfUser(c *call) error {
	user := c.vars["user"]
	if user != c.user && !c.has(tagAdministrator) {
		return notAuthorised("User not authorised to access object")
	}
	for _, x := range c.h.connected() {
		if x.User == user {
			c.h.living.CloseConnection(x.Name, c.reason())
		}
	}
	c.answer.status(http.StatusNoContent)
	return nil
}
