package management

import (
	"context"
	"net"
)

// Doors is what the API needs of the messaging protocols. It is called by many
// goroutines at once.
type Doors interface {
	// Dial opens a connection within the process that speaks AMQP 0-9-1 as the user,
	// who is authenticated: the mechanism is EXTERNAL.
	Dial(ctx context.Context, user string) (net.Conn, error)
	// Arguments reads the arguments that a queue, an exchange or a binding was
	// declared with, for JSON.
	Arguments(table []byte) (map[string]any, error)
	// Listeners lists where clients reach the broker.
	Listeners() []Listener
}

// Listener is one open port.
type Listener struct {
	Protocol string // RabbitMQ's word: amqp/ssl, https
	Address  string // IP address
	Port     int
	TLS      bool
}
