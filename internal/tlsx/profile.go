// Package tlsx makes what a TLS listener needs: the internal certificate
// authority, the certificates it signs or the user's own, and the profiles
// that say which versions and cipher suites a listener speaks.
//
// It guarantees that no profile goes below TLS 1.2, that a client which knows
// only RSA and one which knows only ECDSA are both served by the internal
// certificates, and that certificates are renewed or reloaded without a
// restart. Post-quantum hybrid key exchange stays on wherever Go has it.
//
// It does not open sockets, does not store or seal the authority's key (its
// caller does), does not check client certificates, and revokes nothing: the
// internal certificates are short-lived instead.
package tlsx

import (
	"crypto/tls"

	"coffer/internal/fault"
)

// Profile names a set of TLS versions and cipher suites.
type Profile string

// The profiles. None speaks TLS 1.0 or 1.1, a suite without forward secrecy,
// or one that Go does not have.
const (
	// Modern is TLS 1.3 only.
	Modern Profile = "modern"
	// Compatible adds TLS 1.2 with the suites that Amazon MQ lists for
	// RabbitMQ, and the same with an ECDSA certificate.
	Compatible Profile = "compatible"
	// ActiveMQ adds what Amazon MQ lists for ActiveMQ, as far as Go has it
	// with forward secrecy; among them CBC suites, for clients of old.
	ActiveMQ Profile = "activemq"
	// FIPS restricts curves and TLS 1.2 suites to approved ones. The suites of
	// TLS 1.3 are restricted only in a build with GOFIPS140, by Go itself.
	FIPS Profile = "fips"
)

// Profiles lists every profile, the strictest first.
func Profiles() []Profile { return []Profile{Modern, FIPS, Compatible, ActiveMQ} }

// ParseProfile finds a profile by its name; the error is Invalid and names the
// value.
func ParseProfile(name string) (Profile, error) {
	for _, p := range Profiles() {
		if name == string(p) {
			return p, nil
		}
	}
	return "", fault.New(fault.Invalid, "unknown TLS profile %q; known are %v", name, Profiles())
}

// GetCertificate chooses a certificate for a handshake. [Leaves.Certificate]
// and [Files.Certificate] are such.
type GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Server makes the configuration of a listener. alpn lists the application
// protocols that it speaks, the preferred one first; none means that the
// client's offer is ignored. The caller owns the result.
func (p Profile) Server(get GetCertificate, alpn ...string) *tls.Config {
	return &tls.Config{
		GetCertificate:   get,
		NextProtos:       alpn,
		MinVersion:       p.minVersion(),
		CipherSuites:     p.suites(),
		CurvePreferences: p.curves(),
	}
}

// minVersion is TLS 1.3 also for a profile that does not exist: a mistake must
// not open a door.
func (p Profile) minVersion() uint16 {
	switch p {
	case Compatible, ActiveMQ, FIPS:
		return tls.VersionTLS12
	}
	return tls.VersionTLS13
}

// suites gives those of TLS 1.2; TLS 1.3 has its own, which Go does not let
// anybody choose.
func (p Profile) suites() []uint16 {
	gcm := []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	}
	if p != ActiveMQ {
		return gcm
	}
	// ECDHE_RSA_WITH_AES_256_CBC_SHA384, the sixth of Amazon's ECDHE suites,
	// and the DHE ones do not exist in Go.
	return append(gcm,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	)
}

// curves is nil, which is Go's own choice with the hybrids first, but for FIPS.
func (p Profile) curves() []tls.CurveID {
	if p != FIPS {
		return nil
	}
	return []tls.CurveID{
		tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024,
		tls.CurveP256, tls.CurveP384, tls.CurveP521,
	}
}
