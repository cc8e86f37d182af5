package node

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"coffer/internal/listen"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/telemetry"
)

// TestFewRefusals: whoever is refused ten thousand times does not write as many lines, of
// the connection or of what became of it, and all of them are counted by the metrics.
func TestFewRefusals(t *testing.T) {
	t.Parallel()
	const attempts = 10_000
	var log bytes.Buffer
	logger, err := telemetry.NewLogger(&log, telemetry.LogConfig{Format: "json"})
	must(t, err)
	metrics := telemetry.NewRegistry()
	doors := listen.Observe(logger, metrics)
	clients := observeClients(logger, metrics, newCounts(metrics))
	at := listen.Connection{Listener: "amqp", Remote: netip.MustParseAddrPort("192.0.2.1:1234")}
	who := amqp091.Client{Remote: "192.0.2.1:1234", User: "admin"}
	for range attempts {
		doors.HandshakeFailed(at, errors.New("bad certificate"))
		doors.Refused(at)
		doors.Opened(at)
		clients.Refused(who, errors.New("wrong password"))
		clients.Failed(who, 0, 403, "refused")
		doors.Closed(at, 0)
	}
	const classes = 6
	if n := bytes.Count(log.Bytes(), []byte("\n")); n < classes || n > attempts/2 {
		t.Errorf("%d lines of %d attempts", n, attempts)
	}
	for _, message := range []string{"handshake failed", "sign-in refused", "connection opened"} {
		if !bytes.Contains(log.Bytes(), []byte(message)) {
			t.Errorf("no line says %q", message)
		}
	}
}
