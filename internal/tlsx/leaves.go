package tlsx

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/fault"
)

const (
	defaultLife = 90 * 24 * time.Hour
	rsaBits     = 2048
)

var hostname = regexp.MustCompile(
	`^(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?))*$`)

// LeavesConfig says what the internal certificates are for.
type LeavesConfig struct {
	// Hostname is the name that clients connect to; the certificates carry it,
	// *.Hostname and localhost. Default: localhost.
	Hostname string
	// Addresses are the addresses that clients connect to, beside 127.0.0.1
	// and ::1, which are always there. An unspecified address is left out.
	Addresses []netip.Addr
	// Life is how long a certificate is valid; it is renewed at two thirds.
	// Default: 90 days.
	Life time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Leaves are the certificates that the internal authority signs for this
// process: an ECDSA one, made by [NewLeaves], and an RSA one, whose key takes
// a fraction of a second and is made for the first client that needs it. Its
// methods may be called from any goroutine.
type Leaves struct {
	ca    atomic.Pointer[CA]
	turn  atomic.Int64 // one more makes every certificate due
	cfg   LeavesConfig
	names []string
	ecdsa leaf
	rsa   leaf
}

// NewLeaves makes the certificates of a process.
func NewLeaves(ca *CA, cfg LeavesConfig) (*Leaves, error) {
	if cfg.Hostname == "" {
		cfg.Hostname = "localhost"
	}
	if cfg.Life == 0 {
		cfg.Life = defaultLife
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Life < 0 {
		return nil, fault.New(fault.Invalid, "life of certificates: %v is negative", cfg.Life)
	}
	l := &Leaves{names: []string{"localhost"}}
	l.ca.Store(ca)
	addresses := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	if a, err := netip.ParseAddr(cfg.Hostname); err == nil {
		addresses = append(addresses, a.Unmap())
	} else if len(cfg.Hostname) > 251 || !hostname.MatchString(cfg.Hostname) {
		return nil, fault.New(fault.Invalid, "host name %q: not a DNS name", cfg.Hostname)
	} else if cfg.Hostname == "localhost" {
		l.names = append(l.names, "*.localhost")
	} else {
		l.names = append(l.names, cfg.Hostname, "*."+cfg.Hostname)
	}
	cfg.Addresses = append(addresses, cfg.Addresses...)
	l.cfg = cfg
	if _, err := l.get(&l.ecdsa, generateECDSA); err != nil {
		return nil, err
	}
	return l, nil
}

// Certificate gives the ECDSA certificate to every client that can use it,
// since it is the faster one, and the RSA certificate to the others. A client
// that asked for another name gets it too, and refuses it.
func (l *Leaves) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := l.get(&l.ecdsa, generateECDSA)
	if err != nil || supports(hello, c) {
		return c, err
	}
	return l.get(&l.rsa, generateRSA)
}

// Use lets ca sign the certificates of handshakes from now on. Connections that are open
// are not touched.
func (l *Leaves) Use(ca *CA) error {
	l.ca.Store(ca)
	return l.Renew()
}

// Renew makes new certificates for handshakes from now on. Connections that are open are
// not touched.
func (l *Leaves) Renew() error {
	l.turn.Add(1)
	if err := l.renew(&l.ecdsa, generateECDSA); err != nil || l.rsa.current.Load() == nil {
		return err
	}
	return l.renew(&l.rsa, generateRSA)
}

func (l *Leaves) renew(of *leaf, generate func() (crypto.Signer, error)) error {
	of.renewing.Lock()
	defer of.renewing.Unlock()
	_, err := l.make(of, generate)
	return err
}

// Authority gives who signs now.
func (l *Leaves) Authority() *CA { return l.ca.Load() }

// Current gives the certificates in use.
func (l *Leaves) Current() (list []*x509.Certificate) {
	for _, of := range []*leaf{&l.ecdsa, &l.rsa} {
		if s := of.current.Load(); s != nil {
			list = append(list, s.cert.Leaf)
		}
	}
	return list
}

// A leaf is the current certificate of one kind of key.
type leaf struct {
	renewing sync.Mutex // held while a key is made
	current  atomic.Pointer[signed]
}

type signed struct {
	cert              tls.Certificate
	renewAt, notAfter time.Time
	turn              int64
}

// fresh reports whether a certificate is good for another handshake. One that is not valid
// yet was made before the clock was set back.
func (l *Leaves) fresh(s *signed, now time.Time) bool {
	return s != nil && s.turn == l.turn.Load() && now.Before(s.renewAt) &&
		!now.Before(s.cert.Leaf.NotBefore)
}

// get gives the current certificate and makes a new one when it is due. While
// one caller does so, the others still get the old one, if it is valid.
func (l *Leaves) get(of *leaf, generate func() (crypto.Signer, error)) (*tls.Certificate, error) {
	now := l.cfg.Now()
	s := of.current.Load()
	if l.fresh(s, now) {
		return &s.cert, nil
	}
	if !of.renewing.TryLock() {
		if s != nil && now.Before(s.notAfter) {
			return &s.cert, nil
		}
		of.renewing.Lock()
	}
	defer of.renewing.Unlock()
	return l.make(of, generate)
}

// make makes a certificate unless another caller just did. It is called with renewing held.
func (l *Leaves) make(of *leaf, generate func() (crypto.Signer, error)) (*tls.Certificate, error) {
	now, turn := l.cfg.Now(), l.turn.Load()
	s := of.current.Load()
	if l.fresh(s, now) {
		return &s.cert, nil
	}
	key, err := generate()
	if err != nil {
		return nil, fmt.Errorf("generate certificate key: %w", err)
	}
	if s, err = l.sign(key, now); err != nil {
		return nil, err
	}
	s.turn = turn
	of.current.Store(s)
	return &s.cert, nil
}

// sign makes the certificate of a key.
func (l *Leaves) sign(key crypto.Signer, now time.Time) (*signed, error) {
	ca := l.ca.Load()
	notAfter := now.Add(l.cfg.Life)
	if notAfter.After(ca.NotAfter()) {
		notAfter = ca.NotAfter()
	}
	if !notAfter.After(now) {
		return nil, fault.New(fault.Unavailable, "%s has expired", ca)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: l.cfg.Hostname},
		NotBefore:             now.Add(-backdate),
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              l.names,
	}
	for _, a := range l.cfg.Addresses {
		if !a.IsUnspecified() {
			template.IPAddresses = append(template.IPAddresses, a.Unmap().AsSlice())
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", l.cfg.Hostname, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse certificate of %s: %w", l.cfg.Hostname, err)
	}
	s := &signed{renewAt: now.Add(notAfter.Sub(now) * 2 / 3), notAfter: parsed.NotAfter}
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}
	return s, nil
}

func generateECDSA() (crypto.Signer, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func generateRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

// supports reports whether a handshake can use the certificate, whatever name
// the client asked for: an unknown name is the client's to judge.
func supports(hello *tls.ClientHelloInfo, c *tls.Certificate) bool {
	anyName := *hello
	anyName.ServerName = ""
	return anyName.SupportsCertificate(c) == nil
}
