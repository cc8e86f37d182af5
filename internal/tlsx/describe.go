package tlsx

import (
	"crypto/tls"
	"strings"
	"time"
)

// Description is what a handshake agreed on, in the names that Erlang has for it, which
// RabbitMQ shows.
type Description struct {
	Protocol    string // "tlsv1.3"
	KeyExchange string // "any" from TLS 1.3 on
	Cipher      string // "aes_256_gcm"
	Hash        string // "aead"
	// Of the peer's certificate; all empty: it has shown none. The names are as in
	// RFC 4514, the validity is two times of RFC 3339.
	PeerSubject, PeerIssuer, PeerValidity string
}

// Describe reads the state of a connection. Go's names of suites are
// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, and TLS_AES_128_GCM_SHA256 from TLS 1.3 on.
func Describe(s tls.ConnectionState) Description {
	d := Description{Protocol: "tlsv1.2", KeyExchange: "any", Hash: "aead"}
	if s.Version >= tls.VersionTLS13 {
		d.Protocol = "tlsv1.3"
	}
	name := strings.ToLower(strings.TrimPrefix(tls.CipherSuiteName(s.CipherSuite), "TLS_"))
	if exchange, rest, ok := strings.Cut(name, "_with_"); ok {
		d.KeyExchange, name = exchange, rest
	}
	d.Cipher = name
	if at := strings.LastIndex(name, "_sha"); at >= 0 {
		d.Cipher = name[:at]
		if strings.HasSuffix(d.Cipher, "_cbc") {
			d.Hash = name[at+1:]
		}
	}
	if len(s.PeerCertificates) > 0 {
		x := s.PeerCertificates[0]
		d.PeerSubject, d.PeerIssuer = x.Subject.String(), x.Issuer.String()
		d.PeerValidity = x.NotBefore.UTC().Format(time.RFC3339) + " - " +
			x.NotAfter.UTC().Format(time.RFC3339)
	}
	return d
}
