package kit

import (
	"context"
	"net/url"

	amqp10 "github.com/Azure/go-amqp"
)

// Dial10 connects to a broker by AMQP 1.0 over TLS until the test ends.
func (s *Server) Dial10(address string) *amqp10.Conn {
	s.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	u.Path = ""
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	conn, err := amqp10.Dial(ctx, u.String(), &amqp10.ConnOptions{TLSConfig: s.TLS()})
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	s.t.Cleanup(func() { _ = conn.Close() }) // of a process that may have been killed
	return conn
}
