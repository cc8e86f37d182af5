package node

import (
	"context"
	"net/http"

	"coffer/internal/telemetry"
)

// HealthReport is what the process knows about itself: a line for each check, and what
// an operator should know.
type HealthReport struct {
	Text string `json:"text"`
	Well bool   `json:"well"`
}

// healthQuestion says which checks are asked for: those of /healthz or of /readyz.
type healthQuestion struct {
	Live bool `json:"live"`
}

// tellHealth answers on the operator's socket, which needs no port: probes of containers
// have the file system of the process.
func tellHealth(h telemetry.Health) http.HandlerFunc {
	return operated(func(ctx context.Context, in healthQuestion) (any, error) {
		checks := h.Ready
		if in.Live {
			checks = h.Live
		}
		text, well := telemetry.Report(ctx, checks, h.Shown)
		return HealthReport{Text: text, Well: well}, nil
	})
}

// Health asks the process on a data directory whether clients are served, or with live
// only whether it can go on without being started anew.
func Health(ctx context.Context, data string, live bool) (*HealthReport, error) {
	r := &HealthReport{}
	err := askOperator(ctx, data, "health", healthQuestion{live}, r)
	return r, err
}
