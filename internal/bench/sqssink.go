package bench

import (
	"context"
	"crypto/tls"

	"coffer/internal/aws/sigv4"
)

// NullSQS measures without a server: the load goes to a sink within this process over
// TLS, which answers at once and keeps messages in memory. The processor time is that of
// the generator and of the sink together.
func NullSQS(ctx context.Context, cfg SQSConfig) (r *Result, err error) {
	file, server, remove, err := throwawayTLS()
	if err != nil {
		return nil, err
	}
	defer remove()
	s, err := newSQSSink(server, sqsFaults{})
	if err != nil {
		return nil, err
	}
	defer s.close()
	cfg.Target = SQSTarget{URL: "https://" + s.address(), CA: file,
		Key: sigv4.Key{AccessKeyID: "NULL", Secret: sigv4.NewSecret("null")}}
	return RunSQS(ctx, cfg)
}

// An sqsSink answers what a run asks, and nothing else: it knows neither signatures nor
// leases, and one queue by each name. It shows what the generator costs.
type sqsSink struct {
	server
	faults sqsFaults
	queues map[string]*textQueue
	sends  int
}

// sqsFaults are what a sink may do wrong, to see that it is noticed.
type sqsFaults struct {
	// answer is the whole of an answer instead of the sink's, if it is not empty.
	answer func(operation string) string
	// deliver decides how often message n comes, from 0.
	deliver func(n int) (times int)
	http10  bool // it closes the connection behind each answer
	// idle is the message, from 1, at which it closes all connections but its sender's, as
	// a server does whose clients were idle for too long.
	idle int
}

// A textQueue holds texts until somebody receives them.
type textQueue struct {
	texts   [][]byte
	waiting chan struct{} // closed when something comes
}

// newSQSSink listens on a free port of 127.0.0.1, with TLS if cfg says how.
func newSQSSink(cfg *tls.Config, f sqsFaults) (*sqsSink, error) {
	s := &sqsSink{faults: f, queues: map[string]*textQueue{}}
	if err := s.listen(cfg); err != nil {
		return nil, err
	}
	s.accept(s.serve)
	return s, nil
}

// close ends all connections and returns when nothing runs any more.
func (s *sqsSink) close() {
	s.stop()
	s.mu.Lock()
	for _, q := range s.queues {
		q.wake()
	}
	s.mu.Unlock()
	s.work.Wait()
}
