package bench

import (
	"context"
	"crypto/tls"
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
	file, server, remove, err := throwawayTLS()
	if err != nil {
		return nil, err
	}
	defer remove()
	s, err := newSink(server, faults{})
	if err != nil {
		return nil, err
	}
	defer s.close()
	cfg.Target = amqpclient.Config{URL: "amqps://bench:bench@" + s.address() + "/", CA: file}
	return Run(ctx, cfg)
}

// throwawayTLS is TLS of a server for one run, and the file of its authority.
func throwawayTLS() (file string, server *tls.Config, remove func(), err error) {
	ca, err := tlsx.NewCA(time.Now())
	if err != nil {
		return "", nil, nil, err
	}
	leaves, err := tlsx.NewLeaves(ca, tlsx.LeavesConfig{})
	if err != nil {
		return "", nil, nil, err
	}
	dir, err := os.MkdirTemp("", "coffer-bench-*")
	if err != nil {
		return "", nil, nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	file = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca.PEM(), 0o600); err != nil {
		remove()
		return "", nil, nil, err
	}
	return file, tlsx.Modern.Server(leaves.Certificate), remove, nil
}
