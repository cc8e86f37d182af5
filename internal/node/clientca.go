package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"

	"coffer/internal/fault"
)

// openClientCA reads who signs the certificates of AMQP clients.
func (n *Node) openClientCA(context.Context) error {
	for _, file := range n.cfg.ClientCA {
		text, err := os.ReadFile(file)
		if err != nil {
			return fault.New(fault.Invalid, "--client-ca: %v", err)
		}
		if n.clientCA == nil {
			n.clientCA = x509.NewCertPool()
		}
		if !n.clientCA.AppendCertsFromPEM(text) {
			return fault.New(fault.Invalid, "--client-ca: %s holds no certificate", file)
		}
	}
	return nil
}

// amqpTLS is what AMQP listeners speak. With --client-ca a client may show a certificate,
// which must be right then, and may sign in by it.
func (n *Node) amqpTLS() *tls.Config {
	c := n.cfg.tlsProfile.Server(n.certs)
	if n.clientCA != nil {
		c.ClientCAs, c.ClientAuth = n.clientCA, tls.VerifyClientCertIfGiven
	}
	return c
}
