package node

import (
	"log/slog"

	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/telemetry"
)

// observeClients logs and counts what messaging clients do. One set serves
// every broker of the process.
func observeClients(
	log *slog.Logger, metrics *telemetry.Registry, counts *counts,
) amqp091.Events {
	refusals := metrics.Counter("coffer_amqp_refusals_total",
		"Clients that were not let in: wrong password, unknown or forbidden virtual host.")
	clients := metrics.Gauge("coffer_amqp_clients", "Clients in a virtual host.")
	failures := metrics.Counters("coffer_amqp_failures_total",
		"Channels and connections closed with an error.", "code")
	return amqp091.Events{
		Refused: func(c amqp091.Client, err error) {
			refusals.Inc()
			log.Warn("sign-in refused", "client", c, "reason", err.Error())
		},
		Opened: func(c amqp091.Client) {
			clients.Add(1)
			log.Info("client opened", "client", c)
		},
		Closed: func(c amqp091.Client, err error) {
			clients.Add(-1)
			counts.block(c, nil)
			log.Info("client closed", "client", c, "error", err)
		},
		Failed: func(c amqp091.Client, channel uint16, code wire.Code, text string) {
			failures.With(code.String()).Inc()
			log.Info("request refused", "client", c, "channel", channel, "code", code.String())
			// The text may quote names that the client gave its queues.
			log.Debug("request refused", "client", c, "channel", channel, "text", text)
		},
		Blocked: func(c amqp091.Client, reason error) {
			counts.block(c, reason)
			if reason == nil {
				log.Info("client unblocked", "client", c)
				return
			}
			log.Warn("client blocked", "client", c, "reason", reason.Error())
		},
	}
}
