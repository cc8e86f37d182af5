package management

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
)

// client is a channel of a connection within the process, as the user of a request.
type client struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	stop    func() bool
}

// clientProduct is what the connections of requests call themselves.
const clientProduct = "RabbitMQ Management"

// client opens a connection to the virtual host as the user of the request. The caller
// closes it. When the request ends before, the connection is cut.
func (c *call) client(vhost string) (*client, error) {
	ctx := c.r.Context()
	var raw net.Conn
	conn, err := amqp.DialConfig("amqp://localhost", amqp.Config{
		Vhost: vhost, SASL: []amqp.Authentication{&amqp.ExternalAuth{}}, Heartbeat: -1,
		Properties: amqp.Table{"product": clientProduct},
		Dial: func(string, string) (_ net.Conn, err error) {
			raw, err = c.h.doors.Dial(ctx, c.user)
			return raw, err
		},
	})
	if err != nil {
		if raw != nil {
			raw.Close()
		}
		return nil, opening(err)
	}
	cl := &client{conn: conn, stop: context.AfterFunc(ctx, func() { raw.Close() })}
	if cl.channel, err = conn.Channel(); err != nil {
		cl.close()
		return nil, refused(err)
	}
	return cl, nil
}

// close ends the connection; the server has done all that was asked of it.
func (cl *client) close() {
	cl.stop()
	cl.conn.Close() // of a connection that is gone there is nothing to say
}

// opening translates a refusal of the connection itself.
func opening(err error) error {
	e, ok := errors.AsType[*amqp.Error](err)
	switch {
	case ok && e.Code == amqp.NotAllowed, errors.Is(err, amqp.ErrVhost):
		return notAuthorised("User not authorised to access virtual host")
	case ok:
		return refused(err)
	}
	return fault.Wrap(fault.Unavailable, err, "the broker does not serve")
}

// refused translates what closed a channel, as RabbitMQ's API does.
func refused(err error) error {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok && strings.HasSuffix(err.Error(), "exceeds 255 bytes") {
		return badRequest("a name or a key exceeds 255 bytes") // it cannot be sent
	}
	if !ok {
		return err
	}
	reason := e.Reason
	if _, rest, ok := strings.Cut(reason, " - "); ok {
		reason = rest
	}
	switch e.Code {
	case amqp.NotFound:
		return &failure{http.StatusNotFound, "not_found", reason}
	case amqp.AccessRefused:
		return notAuthorised("Access refused.")
	case amqp.ResourceError:
		return fault.New(fault.Unavailable, "%s", reason)
	case amqp.NotImplemented:
		return fault.New(fault.NotImplemented, "%s", reason)
	case amqp.InternalError, amqp.ChannelError:
		return fault.Wrap(fault.Unavailable, err, "the broker does not serve")
	}
	return badRequest(reason)
}

// table makes AMQP arguments of JSON: whole numbers are 64 bits wide, as RabbitMQ's API
// writes them.
func table(o object) amqp.Table {
	t := make(amqp.Table, len(o))
	for k, v := range o {
		t[k] = tableValue(v)
	}
	return t
}

func tableValue(v any) any {
	switch v := v.(type) {
	case object:
		return table(v)
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = tableValue(x)
		}
		return list
	}
	return v
}
