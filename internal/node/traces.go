package node

import (
	"context"
	"fmt"

	"coffer/internal/fault"
	"coffer/internal/telemetry/trace"
)

// openTraces begins to tell a collector of requests, if there is one. It needs the store
// only for its name, and is closed behind all that makes spans.
func (n *Node) openTraces(context.Context) error {
	if n.cfg.Traces == "" {
		return nil
	}
	var err error
	n.tracer, err = trace.New(trace.Config{
		Endpoint: n.cfg.Traces, CA: n.cfg.TracesCA, Ratio: n.cfg.TracesRatio,
		Version: n.cfg.Version, Instance: fmt.Sprintf("%x", n.engine.Identity().Node),
		Metrics: n.metrics, Logger: n.log,
	})
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "--traces: "+told(err))
	}
	n.onStop(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, n.cfg.drain/2)
		defer cancel()
		if err := n.tracer.Close(ctx); err != nil {
			n.log.Warn("the last spans were not sent", "error", err)
		}
		return nil
	})
	n.log.Info("requests are traced", "collector", n.cfg.Traces, "ratio", n.cfg.TracesRatio)
	return nil
}
