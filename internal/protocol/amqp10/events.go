package amqp10

import "log/slog"

// Client says whose connection it is. All fields but Remote and User are chosen
// by the client.
type Client struct {
	Remote string // network address
	User   string // whose password was right, or, in Refused, who was claimed
	VHost  string // empty before open
	Name   string // container id
}

// LogValue groups the fields.
func (c Client) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("remote", c.Remote), slog.String("user", c.User),
		slog.String("vhost", c.VHost), slog.String("name", c.Name),
	)
}

// Events are told what happens at the connections. A nil function is not
// called; the others are called from many goroutines and must not block.
type Events struct {
	// Refused: the login or the way into the virtual host was refused.
	Refused func(Client, error)
	// Opened: the client is in its virtual host.
	Opened func(Client)
	// Closed follows every Opened. The error is nil when the client said goodbye.
	Closed func(Client, error)
	// Failed: a link, a session or the connection was ended with this condition
	// and description, which may quote what the client sent.
	Failed func(c Client, scope Scope, condition, text string)
	// Blocked: the client is at a virtual host whose key cannot be used, or there
	// is no room for messages (reason is not nil), or both are well again.
	Blocked func(c Client, reason error)
}

func (e *Events) refused(c Client, err error) {
	if e.Refused != nil {
		e.Refused(c, err)
	}
}

func (e *Events) opened(c Client) {
	if e.Opened != nil {
		e.Opened(c)
	}
}

func (e *Events) closed(c Client, err error) {
	if e.Closed != nil {
		e.Closed(c, err)
	}
}

func (e *Events) failed(c Client, r *refusal) {
	if e.Failed != nil {
		e.Failed(c, r.scope, r.condition, r.text)
	}
}

func (e *Events) blocked(c Client, reason error) {
	if e.Blocked != nil {
		e.Blocked(c, reason)
	}
}
