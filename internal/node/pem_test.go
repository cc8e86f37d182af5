package node

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"coffer/internal/tlsx"
)

// pemOf gives the leaf with its authority, and the leaf's key.
func pemOf(t *testing.T, ca *tlsx.CA, leaves *tlsx.Leaves) (cert, key []byte) {
	t.Helper()
	c, err := leaves.Certificate(&tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves:   []tls.CurveID{tls.CurveP256},
		CipherSuites:      []uint16{tls.TLS_AES_128_GCM_SHA256},
	})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return append(cert, ca.PEM()...), key
}
