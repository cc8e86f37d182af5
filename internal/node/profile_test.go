package node

import (
	"crypto/tls"
	"net"
	"strconv"
	"testing"
)

// TestTLSProfile: under fips no listener agrees on a curve that is not approved, and each
// serves clients that know one that is.
func TestTLSProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.TLSProfile = "fips" })
	e := w.endpoints()
	for name, port := range map[string]int{
		"api": e.API, "amqp": e.AMQP, "management": e.Management,
	} {
		for curve, good := range map[tls.CurveID]bool{tls.X25519: false, tls.CurveP256: true} {
			conn, err := tls.Dial("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)),
				&tls.Config{RootCAs: w.roots(), CurvePreferences: []tls.CurveID{curve}})
			if (err == nil) != good {
				t.Errorf("%s, %s: %v", name, curve, err)
			}
			if err == nil {
				conn.Close()
			}
		}
	}
}
