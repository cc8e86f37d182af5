package story

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/test/story/kit"
)

// office is a certificate authority outside of Coffer.
type office struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t}
	der, key := o.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "office"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	o.cert, o.key = cert, key
	return o
}

// sign makes a certificate, the first one for itself.
func (o *office) sign(template *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	o.t.Helper()
	o.made++
	template.SerialNumber = big.NewInt(o.made)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	parent, by := o.cert, o.key
	if parent == nil {
		parent, by = template, key
	}
	der, err = x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		o.t.Fatal(err)
	}
	return der, key
}

// issue writes a certificate for localhost with its chain, and its key.
func (o *office) issue(certFile, keyFile string) {
	o.t.Helper()
	der, key := o.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		o.t.Fatal(err)
	}
	write(o.t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	chain = append(chain, pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: o.cert.Raw})...)
	write(o.t, certFile, string(chain))
}

// presented is the serial number of the certificate that a new connection gets.
func presented(t *testing.T, s *kit.Server) int64 {
	t.Helper()
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", main.Host, s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestCertificatesUnderLoad replaces the certificate files while messages are published and
// consumed: after SIGHUP new connections get the new one, those that are open notice nothing,
// and a pair that does not belong together changes nothing.
func TestCertificatesUnderLoad(t *testing.T) {
	t.Parallel()
	const rounds, each = 4, 50
	o, dir := newOffice(t), t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	o.issue(cert, key)
	s := start(t, "--tls-cert", cert, "--tls-key", key)
	publisher, consumer := s.Dial(s.Main()), s.Dial(s.Main())
	ch := channel(t, publisher, true)
	declare(t, ch, "q")
	list := consume(t, channel(t, consumer, false), "q", 100)
	received := make(chan int, 1)
	go func() {
		n := 0
		for d := range list {
			if d.Ack(false) == nil && !d.Redelivered {
				n++
			}
			if n == rounds*each {
				break
			}
		}
		received <- n
	}()
	for range rounds {
		for range each {
			if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
				t.Fatal("a message is refused")
			}
		}
		o.issue(cert, key)
		s.Hangup()
		want := o.made
		kit.Wait(t, "the new certificate", func() bool { return presented(t, s) == want })
	}
	if n := kit.Receive(t, "all messages", received); n != rounds*each {
		t.Errorf("%d messages came", n)
	}
	if publisher.IsClosed() || consumer.IsClosed() {
		t.Error("a connection ended")
	}
	now := o.made
	o.issue(cert, filepath.Join(dir, "elsewhere"))
	s.Hangup()
	kit.Wait(t, "the refusal", func() bool {
		return strings.Contains(s.Log(), "certificates could not be reloaded; the old ones stay")
	})
	if got := presented(t, s); got != now {
		t.Errorf("certificate %d after a pair that does not belong together, want %d", got, now)
	}
}

// TestAuthorityUnderLoad goes over to another internal authority by the command line while
// messages are published; who trusts the ca.pem of the time between gets in before and after.
func TestAuthorityUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t)
	conn := s.Dial(s.Main())
	ch := channel(t, conn, true)
	declare(t, ch, "q")
	command := func(args ...string) string {
		t.Helper()
		r := kit.Run(t, binary, append(args, "--data", s.Data())...)
		if r.Code != 0 {
			t.Fatalf("%q: %d %s", args, r.Code, r.Err)
		}
		if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
			t.Fatalf("%q: a message is refused", args)
		}
		return r.Out
	}
	s.Hangup() // without files there is nothing to reload, and no reason to end
	list := command("certificates", "list")
	if !strings.Contains(list, "\nserver ") || !strings.Contains(list, "\nauthority ") {
		t.Errorf("listed %s", list)
	}
	first := presented(t, s)
	command("certificates", "renew")
	if presented(t, s) == first {
		t.Error("not renewed")
	}
	command("certificates", "rotate-ca", "begin")
	between := s.TLS()
	command("certificates", "rotate-ca", "switch")
	s.Dial(s.Main())
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	late, err := tls.Dial("tcp", main.Host, between)
	if err != nil {
		t.Fatalf("who trusts both is refused: %v", err)
	}
	late.Close()
	command("certificates", "rotate-ca", "end")
	list = command("certificates", "list", "--output", "json")
	if strings.Contains(list, "former") || !strings.Contains(list, `"use": "authority"`) {
		t.Errorf("listed %s", list)
	}
	if conn.IsClosed() {
		t.Error("the connection ended")
	}
}
