package soak

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"coffer/internal/amqpclient"
)

// client is one library by which flows reach a broker.
type client interface {
	// publish connects, to send to one queue with confirms.
	publish(ctx context.Context, to amqpclient.Config, queue string) (publisher, error)
	// consume connects and reads one queue, with at most prefetch deliveries under way.
	consume(
		ctx context.Context, to amqpclient.Config, queue string, prefetch int,
	) (consumer, error)
}

// publisher is a connection that publishes. One goroutine may use told while another
// one uses the rest; all of it ends when the context of its making does.
type publisher interface {
	send(body []byte) error // the n-th call sends message n
	flush() error
	told() (verdict, error) // waits for what the broker says of messages
	close(inOrder bool) error
}

// verdict is what the broker said of a message, or with multiple of all before it too.
// That of message 0 says nothing.
type verdict struct {
	seq          uint64
	multiple, ok bool
}

// consumer is a connection that reads a queue, for one goroutine.
type consumer interface {
	next() (delivery, error) // its body is valid until the next call
	ack(d delivery) error    // settles it and all before it that are not settled
	release(d delivery) error
	// sure waits until all acks so far took effect for certain. Without a key nothing is.
	sure() (bool, error)
	close(inOrder bool) error // what is not settled goes back
}

// delivery is a message as it came.
type delivery struct {
	tag         uint64
	body        []byte
	redelivered bool
}

// barrier is the queue of each broker that consumers publish to in order to be sure.
const barrier = "barrier"

// trust is the TLS configuration of libraries.
func trust(to amqpclient.Config) (*tls.Config, error) {
	pem, err := os.ReadFile(to.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", to.CA)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, nil
}
