package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	day := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	x := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "me", Organization: []string{"a,b"}},
		Issuer:    pkix.Name{CommonName: "ca"},
		NotBefore: day, NotAfter: day.Add(time.Hour),
	}
	for _, row := range []struct {
		state tls.ConnectionState
		want  Description
	}{
		{tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_256_GCM_SHA384},
			Description{
				Protocol: "tlsv1.3", KeyExchange: "any", Cipher: "aes_256_gcm", Hash: "aead",
			}},
		{tls.ConnectionState{
			Version: tls.VersionTLS13, CipherSuite: tls.TLS_CHACHA20_POLY1305_SHA256,
			PeerCertificates: []*x509.Certificate{x},
		}, Description{
			Protocol: "tlsv1.3", KeyExchange: "any", Cipher: "chacha20_poly1305", Hash: "aead",
			PeerSubject: `CN=me,O=a\,b`, PeerIssuer: "CN=ca",
			PeerValidity: "2024-05-06T07:08:09Z - 2024-05-06T08:08:09Z",
		}},
		{tls.ConnectionState{
			Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		}, Description{
			Protocol: "tlsv1.2", KeyExchange: "ecdhe_rsa", Cipher: "aes_128_gcm", Hash: "aead",
		}},
		{tls.ConnectionState{
			Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
		}, Description{
			Protocol: "tlsv1.2", KeyExchange: "ecdhe_ecdsa", Cipher: "aes_256_cbc", Hash: "sha",
		}},
	} {
		if got := Describe(row.state); got != row.want {
			t.Errorf("%+v, want %+v", got, row.want)
		}
	}
}
