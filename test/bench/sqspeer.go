package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"coffer/internal/aws/sigv4"
	"coffer/internal/bench"
	"coffer/test/process"
)

// A runningSQS is an API of SQS that a suite started.
type runningSQS struct {
	to   bench.SQSTarget
	idle int64 // memory that was resident before anybody connected, in bytes
	stop func() error
}

// An sqsStarter starts one of a comparison.
type sqsStarter func(ctx context.Context) (*runningSQS, error)

// cofferSQS gives a starter of a built binary.
func cofferSQS(binary string) sqsStarter {
	return func(ctx context.Context) (*runningSQS, error) {
		dir, err := os.MkdirTemp("", "coffer-bench-*")
		if err != nil {
			return nil, err
		}
		p, err := process.Start(ctx, binary, filepath.Join(dir, "data"))
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		r := &runningSQS{stop: func() error { return errors.Join(p.Stop(), os.RemoveAll(dir)) }}
		r.idle, _ = bench.Resident(p.Pid()) // without /proc: unknown
		env, err := p.Env(ctx)
		if err == nil {
			r.to, err = bench.SQSTargetFrom(func(name string) string { return env[name] })
		}
		if err != nil {
			return nil, errors.Join(err, r.stop())
		}
		return r, nil
	}
}

// elasticMQ starts the one that install.sh put into dir. It keeps everything in memory,
// and has no TLS.
func elasticMQ(dir string) sqsStarter {
	return func(ctx context.Context) (*runningSQS, error) {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		settings := map[string]string{
			"rest-sqs.bind-hostname": "127.0.0.1", "rest-sqs.bind-port": port,
			"node-address.host": "127.0.0.1", "node-address.port": port,
			"rest-stats.enabled": "false",
		}
		args := []string{"-cp", filepath.Join(dir, "elasticmq", "*")}
		for name, value := range settings {
			args = append(args, "-D"+name+"="+value)
		}
		return startPeer(ctx, port, "java", append(args, "org.elasticmq.server.Main")...)
	}
}

// moto starts the one that install.sh put into dir. It keeps everything in memory.
func moto(dir string) sqsStarter {
	return func(ctx context.Context) (*runningSQS, error) {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		program := filepath.Join(dir, "moto", "bin", "moto_server")
		return startPeer(ctx, port, program, "-H", "127.0.0.1", "-p", port)
	}
}

// freePort gives one that nothing listens on, and that another process could take.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// startPeer starts a program and waits until it answers on its port.
func startPeer(
	ctx context.Context, port, program string, args ...string,
) (*runningSQS, error) {
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.SysProcAttr = process.Environment(), process.Die()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r := &runningSQS{
		to: bench.SQSTarget{URL: "http://127.0.0.1:" + port,
			Key: sigv4.Key{AccessKeyID: "peer", Secret: sigv4.NewSecret("peer")}},
		stop: func() error {
			err := cmd.Process.Kill()
			<-ended
			return err
		},
	}
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s does not serve", program))
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		resp, err := http.Get(r.to.URL)
		if err == nil {
			resp.Body.Close()
			r.idle, _ = bench.Resident(cmd.Process.Pid)
			return r, nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return nil, fmt.Errorf("%s ended at once: %w", program, err)
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), r.stop())
		}
	}
}
