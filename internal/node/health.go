package node

import (
	"context"
	"errors"
	"net/http"
	"time"

	"coffer/internal/fault"
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

// healthTimeout is how long a process may take to answer that it is well; its checks have
// less.
const healthTimeout = 10 * time.Second

// Health asks the process on a data directory whether clients are served, or with live
// only whether it can go on without being started anew. One that does not answer is not.
func Health(ctx context.Context, data string, live bool) (*HealthReport, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	r := &HealthReport{}
	err := askOperator(ctx, data, "health", healthQuestion{live}, r)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Wrap(fault.Unavailable, err, "the process on "+data+" does not answer")
	}
	return r, err
}
