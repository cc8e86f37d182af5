// Package process builds the coffer binary and runs it for tests, as a user
// would: by its command line, its files and `coffer env`.
//
// It guarantees that a process it started has ended when Kill or Stop returns.
// It does not restart anything, and keeps no more of the log than its end; who
// wants all of it takes it from StartLogged.
package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ready and readyJSON are what the log says when every listener is open.
const (
	ready     = "msg=serving"
	readyJSON = `"msg":"serving"`
)

// keepLog bounds the log that a Process keeps, in lines.
const keepLog = 200

// Build gives the binary to test: COFFER_BINARY if that is set, else one built
// into dir from the module that the caller is in.
func Build(ctx context.Context, dir string) (string, error) {
	if binary := os.Getenv("COFFER_BINARY"); binary != "" {
		return filepath.Abs(binary)
	}
	binary := filepath.Join(dir, "coffer")
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary,
		"coffer/cmd/coffer").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build coffer: %w\n%s", err, out)
	}
	return binary, nil
}

// Main is for TestMain: it puts the path of the binary to test into binary, lets others
// prepare what they need in the same directory, runs the tests, and gives the status to
// exit with.
func Main(tests interface{ Run() int }, binary *string, prepare ...func(dir string) error) int {
	dir, err := os.MkdirTemp("", "coffer-test-*")
	if err == nil {
		defer os.RemoveAll(dir)
		*binary, err = Build(context.Background(), dir)
	}
	for _, p := range prepare {
		if err == nil {
			err = p(dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return tests.Run()
}

// Environment is the tester's own without what would configure the binary.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "COFFER_") || strings.HasPrefix(kv, "AWS_") ||
			strings.HasPrefix(kv, "OTEL_")
	})
}

// Process is a running `coffer serve`.
type Process struct {
	binary, data string
	cmd          *exec.Cmd
	started      time.Duration
	ended        chan struct{} // closed when the log is read to its end
	wait         func() error

	mu  sync.Mutex
	log []string
}

// Start runs the binary on a data directory with ports of the system's choice,
// and waits until it serves. Extra arguments of serve may follow.
func Start(ctx context.Context, binary, data string, args ...string) (*Process, error) {
	return StartLogged(ctx, io.Discard, binary, data, args...)
}

// StartLogged is Start, and copies the whole log. All of it is there when Kill
// or Stop returns.
func StartLogged(
	ctx context.Context, to io.Writer, binary, data string, args ...string,
) (*Process, error) {
	if err := noteSources(); err != nil {
		return nil, err
	}
	p := &Process{binary: binary, data: data, ended: make(chan struct{})}
	args = append([]string{"serve", "--data", data, "--ports=auto"}, args...)
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env, p.cmd.SysProcAttr = Environment(), Die()
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.wait = sync.OnceValue(func() error {
		<-p.ended
		return p.cmd.Wait()
	})
	serving := make(chan struct{})
	go p.read(io.TeeReader(log, to), serving)
	select {
	case <-serving:
		p.started = time.Since(begin)
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("coffer ended at once: %w\n%s", p.wait(), p.Log())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), p.Kill(), errors.New(p.Log()))
	}
}

// read keeps the end of the log and closes serving at the line that tells it.
func (p *Process) read(log io.Reader, serving chan struct{}) {
	defer close(p.ended)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		line := lines.Text()
		p.mu.Lock()
		if p.log = append(p.log, line); len(p.log) > keepLog {
			p.log = p.log[1:]
		}
		p.mu.Unlock()
		if serving != nil && (strings.Contains(line, ready) || strings.Contains(line, readyJSON)) {
			close(serving)
			serving = nil
		}
	}
	io.Copy(io.Discard, log) // a line too long for the scanner
}

// Started is the time from the start of the process until it served.
func (p *Process) Started() time.Duration { return p.started }

// Pid is the id of the process, for those who look at it from outside.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log gives the last lines of the log.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

// Kill ends the process without any warning, as kill -9 does.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill coffer, which ended before: %w: %w", err, p.wait())
	}
	p.wait()
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return nil
	}
	return fmt.Errorf("coffer ended before it was killed: %s\n%s", p.cmd.ProcessState, p.Log())
}

// Stop asks the process to end and waits until it did, without an error.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop coffer: %w", err)
	}
	if err := p.wait(); err != nil {
		return fmt.Errorf("stop coffer: %w\n%s", err, p.Log())
	}
	return nil
}

// Env is what `coffer env` prints of the process.
func (p *Process) Env(ctx context.Context) (map[string]string, error) {
	return Env(ctx, p.binary, p.data)
}

// Env is what `coffer env` prints of the process that serves a data directory.
func Env(ctx context.Context, binary, data string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, binary, "env", "--data", data)
	cmd.Env = Environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("coffer env: %w\n%s", err, stderr.Bytes())
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, _ := strings.Cut(line, "=")
		env[name] = strings.Trim(value, `'"`)
	}
	return env, nil
}
