package kit

import (
	"net/url"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Dial connects to a broker over TLS until the test ends.
func (s *Server) Dial(address string) *amqp.Connection {
	s.t.Helper()
	conn, err := s.TryDial(address)
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	return conn
}

// TryDial is Dial for connections that may be refused.
func (s *Server) TryDial(address string) (*amqp.Connection, error) {
	s.t.Helper()
	conn, err := amqp.DialTLS(address, s.TLS())
	if err == nil {
		s.t.Cleanup(func() {
			if !conn.IsClosed() {
				_ = conn.Close() // of a process that may have been killed
			}
		})
	}
	return conn, err
}

// Main is the address of broker main.
func (s *Server) Main() string { return s.Env["COFFER_AMQP_URL"] }

// Address adds a user to an endpoint that DescribeBroker gave.
func Address(endpoint, user, password string) string {
	return strings.Replace(endpoint, "://",
		"://"+url.UserPassword(user, password).String()+"@", 1) + "/%2f"
}
