package listen

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"coffer/internal/telemetry"
)

// TestObserve plays every event and reads the log and the metrics.
func TestObserve(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	metrics := telemetry.NewRegistry()
	e := Observe(slog.New(slog.NewTextHandler(&log, nil)), metrics)
	plain := Connection{Listener: "api", Remote: netip.MustParseAddrPort("127.0.0.1:5")}
	c := plain
	c.Version, c.Suite, c.Group = "TLS 1.3", "TLS_AES_128_GCM_SHA256", "X25519MLKEM768"
	e.opened(c)
	e.opened(plain)
	e.closed(c, time.Second)
	e.handshakeFailed(plain, errors.New("no shared suite"))
	e.refused(plain)
	e.acceptFailed("api", errors.New("no descriptor"))
	e.panicked(c, "broken", []byte("stack"))
	r := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil)
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	telemetry.Handler(metrics, telemetry.Health{}, nil).ServeHTTP(w, r)
	for _, want := range []string{
		`coffer_connections_total{group="X25519MLKEM768",listener="api",` +
			`suite="TLS_AES_128_GCM_SHA256",version="TLS 1.3"} 1`,
		`coffer_connections_total{group="",listener="api",suite="",version=""} 1`,
		`coffer_connections_open{listener="api"} 1`,
		`coffer_connection_failures_total{listener="api",reason="handshake"} 1`,
		`coffer_connection_failures_total{listener="api",reason="limit"} 1`,
		`coffer_connection_failures_total{listener="api",reason="accept"} 1`,
		`coffer_connection_failures_total{listener="api",reason="panic"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	for _, want := range []string{
		`msg="connection opened" connection.listener=api connection.remote=127.0.0.1:5 ` +
			`connection.version="TLS 1.3" connection.suite=TLS_AES_128_GCM_SHA256 ` +
			`connection.group=X25519MLKEM768` + "\n",
		"connection.remote=127.0.0.1:5\n", "lasted=1s\n", `error="no shared suite"`,
		"level=WARN", `error="no descriptor"`, "panic=broken stack=stack",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log.String())
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 7 {
		t.Errorf("%d lines, want 7", lines)
	}
}

// TestObserveNothing is silent without a logger and a registry.
func TestObserveNothing(t *testing.T) {
	t.Parallel()
	for range 2 {
		e := Observe(nil, nil)
		e.opened(Connection{})
		e.acceptFailed("api", errors.New("no descriptor"))
	}
}
