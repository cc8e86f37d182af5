package tlsx

import (
	"crypto"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/fault"
)

// A clock that tests move.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time  { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) set(t time.Time) { c.nanos.Store(t.UnixNano()) }

// serial is the certificate that a client gets at the clock's time.
func serial(t *testing.T, server, c *tls.Config) (serial string, notAfter time.Time) {
	t.Helper()
	state, err := handshake(t, server, c)
	if err != nil {
		t.Fatal(err)
	}
	leaf := state.PeerCertificates[0]
	return leaf.SerialNumber.String(), leaf.NotAfter
}

// TestRenewal moves the clock over two thirds of the life: both kinds of
// certificate are new, on the same listener, and clients accept them.
func TestRenewal(t *testing.T) {
	t.Parallel()
	var clk clock
	clk.set(epoch)
	ca := newCA(t, epoch)
	leaves := newLeaves(t, ca, LeavesConfig{Life: 30 * time.Hour, Now: clk.now})
	server := Compatible.Server(leaves.Certificate)
	ecdsa, rsa := client(ca), only(client(ca), tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	for _, c := range []*tls.Config{ecdsa, rsa} {
		clk.set(epoch)
		c.Time = clk.now
		first, notAfter := serial(t, server, c)
		if !notAfter.Equal(epoch.Add(30 * time.Hour)) {
			t.Errorf("valid until %v", notAfter)
		}
		clk.set(epoch.Add(20*time.Hour - time.Second))
		if again, _ := serial(t, server, c); again != first {
			t.Error("renewed before two thirds of its life")
		}
		clk.set(epoch.Add(20 * time.Hour))
		second, notAfter := serial(t, server, c)
		if second == first || !notAfter.Equal(epoch.Add(50*time.Hour)) {
			t.Errorf("not renewed: valid until %v", notAfter)
		}
		clk.set(epoch.Add(1000 * time.Hour)) // nobody came for a long time
		if third, _ := serial(t, server, c); third == second {
			t.Error("expired")
		}
	}
}

// TestRenewalOfOne lets many handshakes meet while the RSA key is renewed: one
// makes the key, the others go on with the old certificate.
func TestRenewalOfOne(t *testing.T) {
	t.Parallel()
	var clk clock
	clk.set(epoch)
	leaves := newLeaves(t, newCA(t, epoch), LeavesConfig{Life: 30 * time.Hour, Now: clk.now})
	first, err := leaves.get(&leaves.rsa, generateRSA)
	if err != nil {
		t.Fatal(err)
	}
	clk.set(epoch.Add(25 * time.Hour))
	started, release := make(chan struct{}), make(chan struct{})
	slow := func() (crypto.Signer, error) {
		close(started) // panics if a second renewal starts
		<-release
		return generateECDSA()
	}
	var group sync.WaitGroup
	group.Go(func() {
		if c, err := leaves.get(&leaves.rsa, slow); err != nil || c == first {
			t.Errorf("renewal: %v", err)
		}
	})
	<-started
	for range 10 {
		if c, err := leaves.get(&leaves.rsa, slow); err != nil || c != first {
			t.Errorf("during the renewal: %v", err)
		}
	}
	close(release)
	group.Wait()
}

// TestAsked renews before its time, and goes over to another authority: handshakes get what
// is new, of both kinds, and a connection that is open stays.
func TestAsked(t *testing.T) {
	t.Parallel()
	old, fresh := newCA(t, time.Now()), newCA(t, time.Now())
	leaves := newLeaves(t, old, LeavesConfig{})
	server := Compatible.Server(leaves.Certificate)
	clients := func(ca *CA) []*tls.Config {
		return []*tls.Config{client(ca),
			only(client(ca), tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)}
	}
	for i, c := range clients(old) {
		first, _ := serial(t, server, c)
		if err := leaves.Renew(); err != nil {
			t.Fatal(err)
		}
		if second, _ := serial(t, server, c); second == first {
			t.Errorf("client %d: not renewed", i)
		}
	}
	if len(leaves.Current()) != 2 {
		t.Errorf("in use: %v", leaves.Current())
	}
	if err := leaves.Use(fresh); err != nil {
		t.Fatal(err)
	}
	for i, c := range clients(fresh) {
		if _, err := handshake(t, server, c); err != nil {
			t.Errorf("client %d of the other authority: %v", i, err)
		}
	}
	if _, err := handshake(t, server, client(old)); err == nil {
		t.Error("the former authority still signs")
	}
}

// TestClockBack sets the clock back behind the certificates: they are made anew, since
// clients with a right clock would refuse them.
func TestClockBack(t *testing.T) {
	t.Parallel()
	var clk clock
	clk.set(epoch.Add(1000 * time.Hour))
	ca := newCA(t, epoch)
	leaves := newLeaves(t, ca, LeavesConfig{Now: clk.now})
	server, c := Compatible.Server(leaves.Certificate), client(ca)
	c.Time = clk.now
	first, _ := serial(t, server, c)
	clk.set(epoch.Add(999*time.Hour + time.Minute)) // within what is allowed for
	if again, _ := serial(t, server, c); again != first {
		t.Error("renewed for a small step")
	}
	clk.set(epoch)
	if second, _ := serial(t, server, c); second == first {
		t.Error("not renewed")
	}
}

// TestExpiredCA shortens the last certificates and then refuses.
func TestExpiredCA(t *testing.T) {
	t.Parallel()
	var clk clock
	ca := newCA(t, epoch)
	clk.set(ca.NotAfter().Add(-time.Hour))
	leaves := newLeaves(t, ca, LeavesConfig{Now: clk.now})
	if got := leaves.ecdsa.current.Load().notAfter; !got.Equal(ca.NotAfter()) {
		t.Errorf("valid until %v, the authority until %v", got, ca.NotAfter())
	}
	clk.set(ca.NotAfter())
	_, err := NewLeaves(ca, LeavesConfig{Now: clk.now})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("expired authority: %v", err)
	}
}

// BenchmarkStart is what a first start pays: an authority and its ECDSA leaf.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		newLeaves(b, newCA(b, time.Now()), LeavesConfig{})
	}
}

// BenchmarkRSA is what the first RSA-only client waits for.
func BenchmarkRSA(b *testing.B) {
	for b.Loop() {
		if _, err := generateRSA(); err != nil {
			b.Fatal(err)
		}
	}
}
