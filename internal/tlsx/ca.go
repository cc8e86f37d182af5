package tlsx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	caYears = 10
	// backdate lets a client whose clock is somewhat behind connect at once.
	backdate = time.Hour
)

// CA is the internal certificate authority: an ECDSA P-256 key and the
// certificate that clients trust. It is immutable; its String, LogValue and
// MarshalJSON do not show the key.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority that is valid for ten years from now. Its name ends
// in a random number, so that a trust store can hold several.
func NewCA(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate CA key: %w", err)
	}
	var id [4]byte
	rand.Read(id[:]) // never fails, by its contract
	name := "Coffer internal CA " + hex.EncodeToString(id[:])
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Coffer"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse CA certificate: %w", err)
	}
	return &CA{cert, key}, nil
}

// LoadCA reads what [CA.PEM] and [CA.PrivateKey] gave, and checks that they
// belong together. It keeps neither slice.
func LoadCA(certificate, privateKey []byte) (*CA, error) {
	block, _ := pem.Decode(certificate)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("load CA: no PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("load CA certificate: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(privateKey)
	if err != nil {
		return nil, errors.New("load CA key: not a PKCS #8 private key")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("load CA: the key is not the certificate's, or no authority's")
	}
	return &CA{cert, key}, nil
}

// ParseCertificates reads the certificates of a PEM file, which may hold other things,
// too; there is at least one.
func ParseCertificates(text []byte) (list []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(list)+1, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no certificate (PEM)")
	}
	return list, nil
}

// Certificate gives the certificate, which must not be changed.
func (c *CA) Certificate() *x509.Certificate { return c.cert }

// PEM gives the certificate for ca.pem.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// PrivateKey gives the key in PKCS #8 form. The bytes are secret: the caller
// seals them before they are stored, and wipes its copy.
func (c *CA) PrivateKey() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("marshal CA key: %w", err)
	}
	return der, nil
}

// Pool gives a pool that trusts this authority alone; the caller owns it.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

// NotAfter is the end of the authority and of everything it signs.
func (c *CA) NotAfter() time.Time { return c.cert.NotAfter }

// String gives the name.
func (c *CA) String() string { return c.cert.Subject.CommonName }

// GoString gives the name, lest %#v walk into the key.
func (c *CA) GoString() string { return c.String() }

// LogValue gives the name.
func (c *CA) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON gives the name.
func (c *CA) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%q", c.String()), nil }
