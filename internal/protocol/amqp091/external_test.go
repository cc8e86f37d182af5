package amqp091

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
	"coffer/internal/protocol/protocoltest"
)

// certEngine knows users by the common names of certificates, and lets "boss" speak
// for others.
type certEngine struct{ testEngine }

func (e certEngine) Identify(_ context.Context, c *x509.Certificate) (string, error) {
	if c.Subject.CommonName == "stranger" {
		return c.Subject.CommonName, fault.New(fault.Unauthenticated, "nobody")
	}
	return c.Subject.CommonName, nil
}

func (e certEngine) Impersonates(user string) bool { return user == "boss" }

var (
	_ Certifier    = certEngine{}
	_ Impersonator = certEngine{}
)

// authority signs certificates of a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func (a *authority) sign(name string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{name},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		a.cert, a.key = leaf, key
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// serveTLS starts a server that asks for certificates, and gives a way to dial it
// with one.
func serveTLS(t *testing.T) func(name string, auth amqp.Authentication) (*amqp.Connection, error) {
	t.Helper()
	a := &authority{t: t}
	a.sign("authority")
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s, err := New(Config{
		Engine: certEngine{newEngine(t)}, Logger: protocoltest.Quiet(),
		RefusalDelay: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{a.sign("server")}, ClientCAs: pool,
		ClientAuth: tls.VerifyClientCertIfGiven,
	})
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { s.Serve(t.Context(), conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		tasks.Wait()
	})
	return func(name string, auth amqp.Authentication) (*amqp.Connection, error) {
		config := &tls.Config{RootCAs: pool, ServerName: "server"}
		if name != "" {
			config.Certificates = []tls.Certificate{a.sign(name)}
		}
		c, err := amqp.DialConfig("amqps://"+l.Addr().String(), amqp.Config{
			Vhost: "/", TLSClientConfig: config, SASL: []amqp.Authentication{auth},
			Dial: func(network, addr string) (net.Conn, error) { return net.Dial(network, addr) },
		})
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return c, err
	}
}

// TestExternal logs in by certificates, which only some clients show.
func TestExternal(t *testing.T) {
	t.Parallel()
	dial := serveTLS(t)
	plain := &amqp.PlainAuth{Username: "u", Password: "p"}
	for _, tt := range []struct {
		certificate string
		auth        amqp.Authentication
		ok          bool
	}{
		{"u", &amqp.ExternalAuth{}, true}, {"boss", &amqp.ExternalAuth{}, true},
		{"stranger", &amqp.ExternalAuth{}, false}, {"", &amqp.ExternalAuth{}, false},
		{"boss", plain, true}, {"", plain, true},
	} {
		_, err := dial(tt.certificate, tt.auth)
		if (err == nil) != tt.ok {
			t.Errorf("%q with %s: %v", tt.certificate, tt.auth.Mechanism(), err)
		}
	}
}

// TestImpersonation lets some users name others in their messages.
func TestImpersonation(t *testing.T) {
	t.Parallel()
	dial := serveTLS(t)
	for user, code := range map[string]int{"boss": 0, "u": 406} {
		conn, err := dial(user, &amqp.ExternalAuth{})
		if err != nil {
			t.Fatal(err)
		}
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t, ch, conn}
		closed := c.NotifyClose(make(chan *amqp.Error, 1))
		c.must(c.Confirm(false))
		d, err := c.PublishWithDeferredConfirmWithContext(t.Context(), "", "none", false, false,
			amqp.Publishing{UserId: "another"})
		c.must(err)
		if code == 0 {
			if ok, err := d.WaitContext(t.Context()); !ok || err != nil {
				t.Error(ok, err)
			}
		} else if e := receive(t, closed); e.Code != code {
			t.Errorf("%v", e)
		}
	}
}
