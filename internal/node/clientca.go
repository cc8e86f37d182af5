package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"sync/atomic"

	"coffer/internal/fault"
	"coffer/internal/tlsx"
)

// clientCA is who signs the certificates of AMQP clients, as the files say. Its methods
// may be called from any goroutine, but reload, which is one's at a time.
type clientCA struct {
	files   []string
	base    *tls.Config // of listeners; set before the first handshake
	current atomic.Pointer[clientSigners]
}

// clientSigners is what the files held; nothing in it changes.
type clientSigners struct {
	text  []byte
	certs []*x509.Certificate
	// config is base for the signers; nil before the first handshake.
	config *tls.Config
}

// openClientCA reads who signs the certificates of AMQP clients.
func (n *Node) openClientCA(context.Context) error {
	if len(n.cfg.ClientCA) == 0 {
		return nil
	}
	n.clientCA = &clientCA{files: n.cfg.ClientCA}
	_, err := n.clientCA.reload()
	return err
}

// reload reads the files again and reports whether they changed. On an error the old ones
// stay in use.
func (c *clientCA) reload() (changed bool, err error) {
	fresh := &clientSigners{}
	for _, file := range c.files {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, fault.New(fault.Invalid, "--client-ca: %v", err)
		}
		certs, err := tlsx.ParseCertificates(text)
		if err != nil {
			return false, fault.New(fault.Invalid, "--client-ca: %s: %v", file, err)
		}
		fresh.text = append(fresh.text, text...)
		fresh.certs = append(fresh.certs, certs...)
	}
	if old := c.current.Load(); old != nil && bytes.Equal(old.text, fresh.text) {
		return false, nil
	}
	c.use(fresh)
	return true, nil
}

// use lets signers count for handshakes from now on.
func (c *clientCA) use(s *clientSigners) {
	if c.base != nil {
		s.config = c.base.Clone()
		s.config.ClientCAs, s.config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		for _, cert := range s.certs {
			s.config.ClientCAs.AddCert(cert)
		}
	}
	c.current.Store(s)
}

func (c *clientCA) certificates() []*x509.Certificate { return c.current.Load().certs }

// amqpTLS is what AMQP listeners speak. With --client-ca a client may show a certificate,
// which must be right then, and may sign in by it.
func (n *Node) amqpTLS() *tls.Config {
	base := n.cfg.tlsProfile.Server(n.certs)
	c := n.clientCA
	if c == nil {
		return base
	}
	n.certTurn.Lock()
	defer n.certTurn.Unlock()
	if c.base == nil {
		c.base = base.Clone()
		now := *c.current.Load()
		c.use(&now)
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return c.current.Load().config, nil
	}
	return base
}
