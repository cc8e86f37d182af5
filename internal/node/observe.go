package node

import (
	"runtime"

	"coffer/internal/telemetry"
)

// observe shows what the parts of the process know when they are asked.
func (n *Node) observe() {
	n.metrics.Gauges("coffer_build_info", "What runs; always 1.", "version", "go").
		With(n.cfg.Version, runtime.Version()).Set(1)
	observeSealed(n.metrics).Set(0)
	n.observeStore()
	n.observeTrail()
	n.observeMessages()
	n.observeBrokers()
	n.observeKeys()
	n.observeQueues()
	n.observeBackups()
}

// observeSealed is the only metric that is there before the process serves.
func observeSealed(r *telemetry.Registry) telemetry.Gauge {
	return r.Gauge("coffer_sealed", "1 while the process waits for shares of its root key.")
}

// integer makes a metric of a whole number.
func integer[S any, N int | int64 | uint64](
	name, help string, of func(S) N,
) telemetry.Sampled[S] {
	return telemetry.Sampled[S]{
		Name: name, Help: help, Of: func(s S) float64 { return float64(of(s)) },
	}
}

// yes makes a metric of what is so, 1, or not, 0.
func yes[S any](name, help string, of func(S) bool) telemetry.Sampled[S] {
	return integer(name, help, func(s S) int {
		if of(s) {
			return 1
		}
		return 0
	})
}
