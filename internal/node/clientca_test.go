package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// signer signs certificates of clients.
type signer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &signer{t, cert, key}
}

// file writes the signer's own certificate.
func (s *signer) file() string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "clients.pem")
	must(s.t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: s.cert.Raw,
	}), 0o600))
	return name
}

// client makes a certificate for ann of the shop.
func (s *signer) client() tls.Certificate {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(s.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "ann", Organization: []string{"shop"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.cert, key.Public(), s.key)
	must(s.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestExternal: a real client signs in by its certificate, if it is a user's and from
// who signs those of clients.
func TestExternal(t *testing.T) {
	t.Parallel()
	clients, others := newSigner(t), newSigner(t)
	w := newWorld(t, func(c *Config) { c.ClientCA = []string{clients.file()} })
	own := clients.client()
	dial := func(certificates ...tls.Certificate) (*amqp.Connection, error) {
		c, err := amqp.DialConfig(fmt.Sprintf("amqps://localhost:%d", w.endpoints().AMQP),
			amqp.Config{
				SASL:            []amqp.Authentication{&amqp.ExternalAuth{}},
				TLSClientConfig: &tls.Config{RootCAs: w.roots(), Certificates: certificates},
			})
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return c, err
	}
	if _, err := dial(own); err == nil {
		t.Error("a certificate of no user signs in")
	}
	const user = "CN=ann,O=shop"
	to, password := w.console(), strings.TrimSpace(w.file(fileMainAdmin))
	for _, r := range [][2]string{
		{"users/" + user, `{"tags":""}`},
		{"permissions/%2F/" + user, `{"configure":".*","write":".*","read":".*"}`},
	} {
		code, text := to.ask(password, "PUT", "https://localhost/api/"+r[0], r[1])
		if code != http.StatusCreated {
			t.Fatalf("%s: %d %s", r[0], code, text)
		}
	}
	c, err := dial(own)
	must(t, err)
	ch, err := c.Channel()
	must(t, err)
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Error(err)
	}
	if _, err := dial(); !errors.Is(err, amqp.ErrSASL) {
		t.Errorf("without a certificate: %v", err)
	}
	if _, err := dial(others.client()); err == nil {
		t.Error("a certificate of another signer signs in")
	}
}

// TestClientCARefused names the flag.
func TestClientCARefused(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	must(t, os.WriteFile(empty, nil, 0o600))
	for _, cfg := range []Config{
		{ClientCA: []string{empty}}, {ClientCA: []string{empty + "x"}},
		{ClientLoginFrom: "cn"},
	} {
		cfg.Data, cfg.AutoPorts = filepath.Join(t.TempDir(), "data"), true
		err := refused(t, cfg)
		want := "--client-ca: "
		if cfg.ClientLoginFrom != "" {
			want = "--client-login-from: "
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
