package kit

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Config says what to run.
type Config struct {
	Binary string   // made by Build
	Data   string   // data directory; a new one when empty
	Args   []string // further flags of serve
}

// Server is one data directory and the process that serves it. Its methods
// fail the test; they are for the test's own goroutine.
type Server struct {
	Env   map[string]string // what `coffer env` prints
	Calls Calls             // made through the clients of AWS
	// Started is how long the last start took until endpoints.json was written.
	Started time.Duration

	t       testing.TB
	cfg     Config
	log     log // of all processes
	secrets []string
	cmd     *exec.Cmd // nil when none runs
	exited  chan error
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
	if s.cmd != nil {
		s.t.Fatal("restart: the process runs")
	}
	stale := s.endpoints()
	args := append([]string{"serve", "--ports=auto", "--data", s.cfg.Data}, s.cfg.Args...)
	cmd := exec.Command(s.cfg.Binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = environment(), &s.log, &s.log, die()
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.exited = cmd, make(chan error, 1)
	go func(exited chan<- error) { exited <- cmd.Wait() }(s.exited)
	s.ready(stale, begin)
}

// ready waits until the process has written its endpoints and answers.
func (s *Server) ready(stale fs.FileInfo, begin time.Time) {
	s.t.Helper()
	ok := poll(func() bool {
		select {
		case err := <-s.exited:
			s.cmd = nil
			s.t.Fatalf("the process ended while it started: %v", err)
		default:
		}
		now := s.endpoints()
		return now != nil && (stale == nil || !os.SameFile(stale, now))
	})
	if !ok {
		s.t.Fatal("the process does not come up")
	}
	s.Started = time.Since(begin)
	r := Run(s.t, s.cfg.Binary, "env", "--data", s.cfg.Data)
	if r.Code != 0 {
		s.t.Fatalf("coffer env: %s", r.Err)
	}
	s.Env = Exports(s.t, r.Out)
	s.Secret(s.Env["AWS_SECRET_ACCESS_KEY"])
	admin, err := os.ReadFile(filepath.Join(s.cfg.Data, "main-admin"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.Secret(strings.TrimSpace(string(admin)))
}

func (s *Server) endpoints() fs.FileInfo {
	info, err := os.Stat(filepath.Join(s.cfg.Data, "endpoints.json"))
	if err != nil {
		return nil
	}
	return info
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
	s.signal(syscall.SIGKILL)
	s.wait()
}

// Stop ends the process in order, which must be without an error.
func (s *Server) Stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if err := s.wait(); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatalf("%v: no process runs", sig)
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%v: %v", sig, err)
	}
}

// wait takes the exit, and kills a process that does not end.
func (s *Server) wait() (err error) {
	s.t.Helper()
	select {
	case err = <-s.exited:
	case <-time.After(Patience):
		s.t.Errorf("the process does not end")
		if kerr := s.cmd.Process.Kill(); kerr != nil {
			s.t.Error(kerr)
		}
		err = <-s.exited
	}
	s.cmd = nil
	return err
}

func (s *Server) end() {
	if s.cmd != nil {
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
