package bench

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/tlsx"
)

// Null measures without a broker: the load goes to a sink within this process over TLS,
// which confirms and delivers at once and keeps nothing. The processor time is that of
// the generator and of the sink together.
func Null(ctx context.Context, cfg Config) (r *Result, err error) {
	ca, err := tlsx.NewCA(time.Now())
	if err != nil {
		return nil, err
	}
	leaves, err := tlsx.NewLeaves(ca, tlsx.LeavesConfig{})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "coffer-bench-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca.PEM(), 0o600); err != nil {
		return nil, err
	}
	s, err := newSink(tlsx.Modern.Server(leaves.Certificate), faults{})
	if err != nil {
		return nil, err
	}
	defer s.close()
	cfg.Target = amqpclient.Config{URL: "amqps://bench:bench@" + s.address() + "/", CA: file}
	return Run(ctx, cfg)
}
