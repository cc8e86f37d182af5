package tlsx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"testing"
	"time"
)

// epoch is the time of tests with a clock of their own.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newCA makes an authority or fails the test.
func newCA(t testing.TB, now time.Time) *CA {
	t.Helper()
	ca, err := NewCA(now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// newLeaves makes certificates or fails the test.
func newLeaves(t testing.TB, ca *CA, cfg LeavesConfig) *Leaves {
	t.Helper()
	l, err := NewLeaves(ca, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// client is a client that trusts the authority and asks for localhost.
func client(ca *CA) *tls.Config {
	return &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}
}

// only limits a client to TLS 1.2 and one suite.
func only(c *tls.Config, suite uint16) *tls.Config {
	c.MaxVersion = tls.VersionTLS12
	c.CipherSuites = []uint16{suite}
	return c
}

// handshake plays one over a real connection and gives what the client saw.
func handshake(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := l.Accept()
		if err != nil {
			return
		}
		defer raw.Close()
		tls.Server(raw, server).HandshakeContext(t.Context())
	}()
	dialer := tls.Dialer{Config: client}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := dialer.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		l.Close()
		<-done
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	<-done
	return c.(*tls.Conn).ConnectionState(), nil
}

// TestNames connects by every name a client may use, and by one it may not.
func TestNames(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	leaves := newLeaves(t, ca, LeavesConfig{
		Hostname:  "mq.example.org",
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.IPv4Unspecified()},
	})
	server := Compatible.Server(leaves.Certificate)
	for name, good := range map[string]bool{
		"mq.example.org": true, "b-1.mq.example.org": true, "localhost": true,
		"127.0.0.1": true, "::1": true, "192.0.2.7": true,
		"0.0.0.0": false, "192.0.2.8": false, "example.org": false, "other.example.org": false,
		"a.b-1.mq.example.org": false,
	} {
		c := client(ca)
		c.ServerName = name
		_, err := handshake(t, server, c)
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := handshake(t, server, client(newCA(t, time.Now())))
	if err == nil {
		t.Error("a client that trusts another authority connected")
	}
}

// TestHostnames checks the names that a certificate can be made for.
func TestHostnames(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	for name, good := range map[string]bool{
		"": true, "localhost": true, "broker.example.org": true, "192.0.2.1": true,
		"2001:db8::1": true, "A-1.example": true,
		"a b": false, "a..b": false, "-a": false, "*.a": false, "a.": false, "a/b": false,
	} {
		_, err := NewLeaves(ca, LeavesConfig{Hostname: name})
		if (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestKinds serves a client that knows RSA only and one that knows ECDSA only,
// and makes the RSA key once, for the first that needs it.
func TestKinds(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	leaves := newLeaves(t, ca, LeavesConfig{})
	if leaves.rsa.current.Load() != nil {
		t.Error("the RSA certificate was made before anybody needed it")
	}
	server := Compatible.Server(leaves.Certificate)
	for _, c := range []struct {
		config *tls.Config
		want   x509.PublicKeyAlgorithm
	}{
		{client(ca), x509.ECDSA},
		{only(client(ca), tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), x509.ECDSA},
		{only(client(ca), tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), x509.RSA},
		{only(client(ca), tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384), x509.RSA},
	} {
		state, err := handshake(t, server, c.config)
		if err != nil {
			t.Fatal(err)
		}
		leaf := state.PeerCertificates[0]
		if leaf.PublicKeyAlgorithm != c.want {
			t.Errorf("%v, want %v", leaf.PublicKeyAlgorithm, c.want)
		}
		if c.want == x509.ECDSA && leaves.rsa.current.Load() != nil {
			t.Error("an ECDSA client made the RSA certificate")
		}
	}
}

// TestDefault checks what an ordinary client gets: TLS 1.3 with a post-quantum
// hybrid, and the protocol it asked for.
func TestDefault(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	leaves := newLeaves(t, ca, LeavesConfig{})
	for _, p := range Profiles() {
		c := client(ca)
		c.NextProtos = []string{"amqp", "http/1.1"}
		state, err := handshake(t, p.Server(leaves.Certificate, "h2", "http/1.1"), c)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		hybrid := state.CurveID == tls.X25519MLKEM768 || state.CurveID == tls.SecP256r1MLKEM768
		if state.Version != tls.VersionTLS13 || !hybrid || state.NegotiatedProtocol != "http/1.1" {
			t.Errorf("%s: version %x, curve %v, protocol %q",
				p, state.Version, state.CurveID, state.NegotiatedProtocol)
		}
	}
}
