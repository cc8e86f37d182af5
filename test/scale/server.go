package scale

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"coffer/internal/amqpclient"
	"coffer/test/process"
)

// server is a running binary, seen from outside.
type server struct {
	*process.Process
	begun time.Time     // when the process was started
	asked time.Duration // to ask for its address, which a client would know
	over  bool
	to    amqpclient.Config
	trace *trace
}

// start runs the binary on a data directory. The caller sets GODEBUG=gctrace=1 to
// hear of the heap.
func start(ctx context.Context, binary, data string) (*server, error) {
	s := &server{begun: time.Now(), trace: &trace{}}
	var err error
	if s.Process, err = process.StartLogged(ctx, s.trace, binary, data); err != nil {
		return nil, err
	}
	begin := time.Now()
	env, err := s.Env(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	s.asked = time.Since(begin)
	s.to = amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}
	return s, nil
}

// Stop and Kill are Process's, and note that it is over.
func (s *server) Stop() error {
	s.over = true
	return s.Process.Stop()
}

func (s *server) Kill() error {
	s.over = true
	return s.Process.Kill()
}

// memory is what a process holds, in bytes.
type memory struct {
	resident int64 // RSS
	peak     int64 // the most that it ever was
	heap     int64 // live Go heap at the last collection
}

// memory reads what the kernel and the collector say. Systems without /proc give
// zeros for the kernel's part.
func (s *server) memory() memory {
	m := memory{heap: s.trace.live()}
	m.resident, m.peak = s.Resident()
	return m
}

// trace reads the lines that the Go runtime writes at each collection.
type trace struct {
	mu   sync.Mutex
	rest []byte
	heap int64
}

var traceLine = regexp.MustCompile(`^gc \d+ @.* \d+->\d+->(\d+) MB`)

// Write takes a piece of the log.
func (t *trace) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, p...)
	for {
		line, rest, ok := bytes.Cut(t.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if f := traceLine.FindSubmatch(line); f != nil {
			mib, _ := strconv.ParseInt(string(f[1]), 10, 64) // digits
			t.heap = mib << 20
		}
		t.rest = rest
	}
}

func (t *trace) live() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heap
}

func mib(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }
