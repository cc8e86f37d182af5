package tlsx

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/fault"
)

// Pair names the PEM files of a certificate chain, the leaf first, and of its
// private key. They may be the same file.
type Pair struct{ Cert, Key string }

// Files are the user's own certificates. Its methods may be called from any
// goroutine.
type Files struct {
	pairs     []Pair
	reloading sync.Mutex
	current   atomic.Pointer[loaded]
}

type loaded struct {
	texts [][]byte // certificate files, to see a change
	certs []tls.Certificate
}

// LoadFiles reads at least one pair. A client gets the first certificate that
// it can use, so the order is the preference. Errors name the file.
func LoadFiles(pairs ...Pair) (*Files, error) {
	if len(pairs) == 0 {
		return nil, fault.New(fault.Invalid, "no certificate files given")
	}
	f := &Files{pairs: pairs}
	if _, err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the files again and reports whether a certificate changed. On
// an error the old certificates stay in use. Connections that are open are
// not touched.
func (f *Files) Reload() (changed bool, err error) {
	f.reloading.Lock()
	defer f.reloading.Unlock()
	var fresh loaded
	for _, p := range f.pairs {
		text, cert, err := load(p)
		if err != nil {
			return false, err
		}
		fresh.texts = append(fresh.texts, text)
		fresh.certs = append(fresh.certs, cert)
	}
	old := f.current.Load()
	if old != nil && equal(old.texts, fresh.texts) {
		return false, nil
	}
	f.current.Store(&fresh)
	return true, nil
}

// load reads one pair and checks that it can serve.
func load(p Pair) (text []byte, c tls.Certificate, err error) {
	text, err = os.ReadFile(p.Cert)
	if err != nil {
		return nil, c, fmt.Errorf("read certificate: %w", err)
	}
	key, err := os.ReadFile(p.Key)
	if err != nil {
		return nil, c, fmt.Errorf("read certificate key: %w", err)
	}
	defer clear(key)
	c, err = tls.X509KeyPair(text, key)
	if err != nil {
		return nil, c, fmt.Errorf("certificate %s with key %s: %w", p.Cert, p.Key, err)
	}
	switch k := c.PrivateKey.(type) {
	case *ecdsa.PrivateKey:
		return text, c, nil
	case *rsa.PrivateKey:
		if k.N.BitLen() >= rsaBits {
			return text, c, nil
		}
		return nil, c, fault.New(fault.Invalid, "certificate %s: RSA key of %d bits, at least %d",
			p.Cert, k.N.BitLen(), rsaBits)
	}
	return nil, c, fault.New(fault.Invalid, "certificate %s: key is neither RSA nor ECDSA", p.Cert)
}

func equal(a, b [][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// Certificate gives the first certificate that the client can use; if it can
// use none the first, whose handshake then fails with the right alert.
func (f *Files) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certs := f.current.Load().certs
	for i := range certs {
		if supports(hello, &certs[i]) {
			return &certs[i], nil
		}
	}
	return &certs[0], nil
}

// Current gives the certificates in use, without their chains.
func (f *Files) Current() (list []*x509.Certificate) {
	for _, c := range f.current.Load().certs {
		list = append(list, c.Leaf)
	}
	return list
}

// NotAfter is when the first of the certificates expires, for a warning.
func (f *Files) NotAfter() time.Time {
	var first time.Time
	for _, c := range f.current.Load().certs {
		if first.IsZero() || c.Leaf.NotAfter.Before(first) {
			first = c.Leaf.NotAfter
		}
	}
	return first
}
