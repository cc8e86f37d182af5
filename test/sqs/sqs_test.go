// Package sqs tells what clients of SQS see of the built binary at its HTTPS port, in
// both protocols, byte for byte where that counts: wrong requests with AWS's codes and
// texts, the forms of queue URLs, bodies, connections that end.
//
// What a client library makes of it is in test/compat.
package sqs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"coffer/internal/aws/sigv4"
	"coffer/test/process"
)

// patience bounds every wait.
const patience = 2 * time.Minute

// binary is what all tests run.
var binary string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &binary)) }

// server is a process and a client of its own that keeps connections.
type server struct {
	t      *testing.T
	http   *http.Client
	base   string // https://host:port
	region string
	key    sigv4.Key
}

// start serves a new data directory until the test ends.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := process.Start(ctx, binary, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	env, err := p.Env(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(env["AWS_CA_BUNDLE"])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &server{
		t: t, http: &http.Client{Transport: transport, Timeout: patience},
		base: env["AWS_ENDPOINT_URL"], region: env["AWS_REGION"],
		key: sigv4.Key{
			AccessKeyID: env["AWS_ACCESS_KEY_ID"],
			Secret:      sigv4.NewSecret(env["AWS_SECRET_ACCESS_KEY"]),
		},
	}
}

// host is the name by which the server is reached, without the port.
func (s *server) host() string {
	u, err := url.Parse(s.base)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Hostname()
}
