package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"time"
)

// TestHandshakeFailure plays what goes wrong with real clients.
func TestHandshakeFailure(t *testing.T) {
	t.Parallel()
	kit := newKit(t)
	for want, c := range map[string]struct {
		server func(*tls.Config)
		client func(*testing.T, net.Conn)
	}{
		"handshake timeout": {client: func(t *testing.T, c net.Conn) { read(t, c) }},
		"handshake broken off": {client: func(t *testing.T, c net.Conn) {
			c.Close()
		}},
		"no TLS": {client: func(t *testing.T, c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			read(t, c)
		}},
		"client certificate": {
			server: func(s *tls.Config) {
				s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			},
			client: func(t *testing.T, c net.Conn) {
				client := kit.client.Clone()
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (
					*tls.Certificate, error,
				) {
					return kit.server.GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
				}
				tls.Client(c, client).Handshake()
				read(t, c)
			},
		},
		"refused by client": {client: func(t *testing.T, c net.Conn) {
			client := kit.client.Clone()
			client.RootCAs = x509.NewCertPool()
			if tls.Client(c, client).Handshake() == nil {
				t.Error("an unknown authority was trusted")
			}
			read(t, c)
		}},
		"handshake": {client: func(t *testing.T, c net.Conn) {
			client := kit.client.Clone()
			client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			if tls.Client(c, client).Handshake() == nil {
				t.Error("TLS 1.1 was spoken")
			}
		}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			server, failed := kit.server.Clone(), make(chan string, 1)
			if c.server != nil {
				c.server(server)
			}
			timeout := 2 * time.Minute
			if want == "handshake timeout" {
				timeout = time.Millisecond
			}
			l := start(t, Config{TLS: server, HandshakeTimeout: timeout, Events: Events{
				HandshakeFailed: func(_ Connection, err error) { failed <- handshakeFailure(err) },
			}}, func(context.Context, net.Conn) {})
			conn, err := dial(t, l, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.client(t, conn)
			if got := wait(t, failed); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// read waits for the end of a connection.
func read(t *testing.T, c net.Conn) {
	t.Helper()
	io.Copy(io.Discard, c) // an alert, or a reset
}
