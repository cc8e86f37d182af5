package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"coffer/internal/amqpclient"
	"coffer/internal/bench"
	"coffer/test/process"
	"coffer/test/rabbitmq"
)

// A running broker is one that a suite started, with everything it writes in a
// temporary directory.
type running struct {
	to   amqpclient.Config
	pid  int
	idle int64 // memory that was resident before anybody connected, in bytes
	stop func() error
}

// startCoffer starts a built binary, whose data lie in a directory; "" is that of the
// system for what is temporary.
func startCoffer(
	ctx context.Context, binary, in string, flags ...string,
) (*running, error) {
	dir, err := os.MkdirTemp(in, "coffer-bench-*")
	if err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, binary, filepath.Join(dir, "data"), flags...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop := func() error { return errors.Join(p.Stop(), os.RemoveAll(dir)) }
	idle, _ := bench.Resident(p.Pid()) // without /proc: unknown
	env, err := p.Env(ctx)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	to := amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}
	return &running{to, p.Pid(), idle, stop}, nil
}

// startRabbitMQ starts the RabbitMQ of this machine as it is installed, with TLS.
func startRabbitMQ(ctx context.Context) (*running, error) {
	s, err := rabbitmq.Start(ctx, rabbitmq.Config{TLS: true, Fast: true})
	if err != nil {
		return nil, err
	}
	idle, _ := bench.Resident(s.Pid())
	to := amqpclient.Config{URL: fmt.Sprintf("amqps://guest:guest@%s/%%2f", s.TLS), CA: s.CA}
	return &running{to, s.Pid(), idle, s.Stop}, nil
}

// A starter starts one broker of a comparison.
type starter func(ctx context.Context) (*running, error)

// beside starts brokers for one shape, so that none inherits the memory or the files of
// another, and measures them in turn.
func beside(
	ctx context.Context, s *settings, load bench.Config, starters ...starter,
) (results [][]*bench.Result, idle []int64, err error) {
	if load.Preload == 0 {
		load.Warmup, load.Duration = s.warmup, s.duration
	}
	var all []bench.Measure
	for _, start := range starters {
		r, err := start(ctx)
		if err != nil {
			return nil, nil, err
		}
		defer func() { err = errors.Join(err, r.stop()) }()
		all, idle = append(all, load.Of(r.to)), append(idle, r.idle)
	}
	results, err = bench.Compare(ctx, all, s.runs, nil)
	return results, idle, err
}
