package kit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/test/process"
)

// Config says what to run.
type Config struct {
	Binary string   // made by process.Build
	Data   string   // data directory; a new one when empty
	Args   []string // further flags of serve
}

// Server is one data directory and the process that serves it. Its methods
// fail the test; they are for the test's own goroutine.
type Server struct {
	Env   map[string]string // what `coffer env` prints
	Calls Calls             // made through the clients of AWS

	t       testing.TB
	cfg     Config
	log     log // of all processes
	secrets []string
	process *process.Process // nil when none runs
}

// Start serves a directory until the test ends.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	if cfg.Data == "" {
		cfg.Data = filepath.Join(t.TempDir(), "data")
	}
	s := &Server{t: t, cfg: cfg}
	t.Cleanup(s.end)
	s.Restart()
	return s
}

// Restart starts the process after a Kill or Stop. Ports may be others.
func (s *Server) Restart() {
	s.t.Helper()
	if s.process != nil {
		s.t.Fatal("restart: the process runs")
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	p, err := process.StartLogged(ctx, &s.log, s.cfg.Binary, s.cfg.Data, s.cfg.Args...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = p
	if s.Env, err = p.Env(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.Secret(s.Env["AWS_SECRET_ACCESS_KEY"])
	admin, err := os.ReadFile(filepath.Join(s.cfg.Data, "main-admin"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.Secret(strings.TrimSpace(string(admin)))
}

// Data is the data directory.
func (s *Server) Data() string { return s.cfg.Data }

// Log is everything that was logged so far.
func (s *Server) Log() string { return s.log.String() }

// Secret names a word that must never stand in the log.
func (s *Server) Secret(word string) {
	if word != "" {
		s.secrets = append(s.secrets, word)
	}
}

// Kill ends the process at once, as a power cut would.
func (s *Server) Kill() {
	s.t.Helper()
	s.finish("kill", Patience, (*process.Process).Kill)
}

// Hangup sends the process SIGHUP.
func (s *Server) Hangup() {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatal("hangup: no process runs")
	}
	if err := syscall.Kill(s.process.Pid(), syscall.SIGHUP); err != nil {
		s.t.Error(err)
	}
}

// Stop ends the process in order, which must be without an error.
func (s *Server) Stop() {
	s.t.Helper()
	s.finish("stop", Patience, (*process.Process).Stop)
}

// Terminate asks the process to end as Stop does, and gives what it ends with,
// which takes longer where it has something to give up.
func (s *Server) Terminate() (err error) {
	s.t.Helper()
	s.finish("terminate", 4*Patience, func(p *process.Process) error {
		err = p.Stop()
		return nil
	})
	return err
}

// finish bounds the end of the process, and kills one that takes too long.
func (s *Server) finish(
	how string, bound time.Duration, end func(*process.Process) error,
) {
	s.t.Helper()
	p := s.process
	if p == nil {
		s.t.Fatalf("%s: no process runs", how)
	}
	s.process = nil
	ended := make(chan error, 1)
	go func() { ended <- end(p) }()
	select {
	case err := <-ended:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(bound):
		s.t.Errorf("%s: the process does not end", how)
		if err := p.Kill(); err != nil {
			s.t.Error(err)
		}
		<-ended
	}
}

func (s *Server) end() {
	if s.process != nil {
		s.Stop()
	}
	text := s.log.String()
	for _, word := range s.secrets {
		if strings.Contains(text, word) {
			s.t.Errorf("the log holds a secret that starts with %.2q", word)
		}
	}
	if s.t.Failed() {
		s.t.Logf("the log's end:\n%s", s.log.tail(40))
	}
}
