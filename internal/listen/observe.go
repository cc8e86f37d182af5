package listen

import (
	"log/slog"
	"time"

	"coffer/internal/telemetry"
)

// Observe makes events that log and count. One set serves every listener of a
// process: the listener's name is a label. A nil logger or registry is silent.
func Observe(log *slog.Logger, metrics *telemetry.Registry) Events {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	total := metrics.Counters("coffer_connections_total",
		"Connections served, by what the TLS handshake agreed on.",
		"listener", "version", "suite", "group")
	open := metrics.Gauges("coffer_connections_open", "Connections being served.", "listener")
	failures := metrics.Counters("coffer_connection_failures_total",
		"Connections not served or ended by an error of ours.", "listener", "reason")
	return Events{
		Opened: func(c Connection) {
			total.With(c.Listener, c.Version, c.Suite, c.Group).Inc()
			open.With(c.Listener).Add(1)
			log.Info("connection opened", slog.Any("connection", c))
		},
		Closed: func(c Connection, lasted time.Duration) {
			open.With(c.Listener).Add(-1)
			log.Info("connection closed", slog.Any("connection", c),
				slog.Duration("lasted", lasted))
		},
		HandshakeFailed: func(c Connection, err error) {
			failures.With(c.Listener, handshakeFailure(err)).Inc()
			log.Info("handshake failed", slog.Any("connection", c), slog.Any("error", err))
		},
		Refused: func(c Connection) {
			failures.With(c.Listener, "limit").Inc()
			log.Warn("connection refused: too many are open", slog.Any("connection", c))
		},
		AcceptFailed: func(listener string, err error) {
			failures.With(listener, "accept").Inc()
			log.Error("accept failed", slog.String("listener", listener), slog.Any("error", err))
		},
		Panicked: func(c Connection, value any, stack []byte) {
			failures.With(c.Listener, "panic").Inc()
			log.Error("connection handler panicked", slog.Any("connection", c),
				slog.Any("panic", value), slog.String("stack", string(stack)))
		},
	}
}
