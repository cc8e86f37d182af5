package tlsx

import (
	"crypto/tls"
	"slices"
	"testing"
	"time"

	"coffer/internal/fault"
)

// TestVersions is TLS-01: TLS 1.0 and 1.1 are refused by every profile, 1.3
// is spoken by every one, and 1.2 by all but modern.
func TestVersions(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	leaves := newLeaves(t, ca, LeavesConfig{})
	for _, p := range Profiles() {
		for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
			c := client(ca)
			c.MinVersion, c.MaxVersion = version, version
			state, err := handshake(t, p.Server(leaves.Certificate), c)
			good := version == tls.VersionTLS13 || version == tls.VersionTLS12 && p != Modern
			if (err == nil) != good || good && state.Version != version {
				t.Errorf("%s, %s: %v", p, tls.VersionName(version), err)
			}
		}
	}
}

// TestSuites is TLS-05, and the part of TLS-06 that Go has with forward
// secrecy: each suite of a profile works, every other that Go has is refused.
func TestSuites(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	leaves := newLeaves(t, ca, LeavesConfig{})
	rabbit := []string{
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	}
	active := append([]string{
		"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
		"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
		"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
	}, rabbit...)
	for p, allowed := range map[Profile][]string{
		Modern: nil, Compatible: rabbit, FIPS: rabbit, ActiveMQ: active,
	} {
		tried := 0
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if !slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
				continue
			}
			state, err := handshake(t, p.Server(leaves.Certificate), only(client(ca), s.ID))
			good := slices.Contains(allowed, s.Name)
			if (err == nil) != good || good && state.CipherSuite != s.ID {
				t.Errorf("%s, %s: %v", p, s.Name, err)
			}
			if good {
				tried++
			}
		}
		if tried != len(allowed) {
			t.Errorf("%s: %d suites tried, want %d", p, tried, len(allowed))
		}
	}
}

// TestCurves refuses under fips a client that knows X25519 only.
func TestCurves(t *testing.T) {
	t.Parallel()
	ca := newCA(t, time.Now())
	leaves := newLeaves(t, ca, LeavesConfig{})
	for p, good := range map[Profile]bool{FIPS: false, Compatible: true} {
		c := client(ca)
		c.CurvePreferences = []tls.CurveID{tls.X25519}
		if _, err := handshake(t, p.Server(leaves.Certificate), c); (err == nil) != good {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// TestParseProfile reads every name and no other.
func TestParseProfile(t *testing.T) {
	t.Parallel()
	for _, p := range Profiles() {
		if got, err := ParseProfile(string(p)); err != nil || got != p {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	if _, err := ParseProfile("old"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("old: %v", err)
	}
	if Profile("old").minVersion() != tls.VersionTLS13 {
		t.Error("an unknown profile speaks less than TLS 1.3")
	}
}
