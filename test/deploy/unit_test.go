package deploy

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// nobody is a user that owns nothing and may nothing.
const nobody = 65534

// TestUnitVerified: systemd finds nothing wrong with the unit, and little that the
// service could do beyond its work.
func TestUnitVerified(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, err := os.ReadFile(folder + "systemd/coffer.service")
	if err != nil {
		t.Fatal(err)
	}
	// The manual of a package that is not installed is not found, either.
	text = bytes.Replace(text, []byte("/usr/bin/coffer"), []byte(binary), 1)
	file := filepath.Join(t.TempDir(), "coffer.service")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", "--man=no", "--recursive-errors=no"},
		{"security", "--offline=true", "--threshold=15", "--no-pager"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
		cmd := exec.CommandContext(ctx, "systemd-analyze", append(args, file)...)
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// service is what systemd would run, in an environment that the unit asks for.
type service struct {
	t            *testing.T
	dir, data    string
	notify       *net.UnixConn
	cmd          *exec.Cmd
	log          bytes.Buffer // read once the process has ended
	stop, starts time.Duration
}

func newService(t *testing.T, flags ...string) *service {
	t.Helper()
	u, err := readUnit(folder + "systemd/coffer.service")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, dir: publicDir(t)}
	for name, to := range map[string]*time.Duration{
		"Service.TimeoutStartSec": &s.starts, "Service.TimeoutStopSec": &s.stop,
	} {
		if *to, err = time.ParseDuration(u.one(name) + "s"); err != nil {
			t.Fatal(err)
		}
	}
	s.data = filepath.Join(s.dir, u.one("Service.StateDirectory"))
	credentials := filepath.Join(s.dir, "credentials")
	for _, dir := range []string{s.data, credentials} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(credentials, u.one("Service.LoadCredentialEncrypted"))
	if err := os.WriteFile(secret, []byte(strings.Repeat("5a", 32)), 0o400); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(s.dir, "notify")
	s.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.notify.Close() })
	args := strings.Fields(u.one("Service.ExecStart"))
	args = append(args[1:], "--data", s.data, "--ports=auto")
	args = append(args, flags...)
	for i, arg := range args {
		args[i] = strings.Replace(arg, "/etc/coffer/", folder, 1)
	}
	s.cmd = exec.Command(binary, args...)
	s.cmd.Env = append(process.Environment(), "NOTIFY_SOCKET="+socket,
		"CREDENTIALS_DIRECTORY="+credentials, "STATE_DIRECTORY="+s.data)
	s.cmd.Stderr, s.cmd.SysProcAttr = &s.log, process.Die()
	if os.Getuid() == 0 && passable(binary) && passable(s.dir) {
		s.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	for _, path := range []string{s.data, credentials, socket} {
		s.own(path)
	}
	return s
}

// own gives what stands at and below a path to the user of the service.
func (s *service) own(path string) {
	s.t.Helper()
	if s.cmd.SysProcAttr.Credential == nil {
		return
	}
	err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// publicDir is a directory that other users can pass, until the test ends.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "coffer-trial-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// passable reports whether every user can go to a path.
func passable(path string) bool {
	for ; path != "/"; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&1 == 0 {
			return false
		}
	}
	return true
}

// told gives the next message to the supervisor.
func (s *service) told(within time.Duration) string {
	s.t.Helper()
	if err := s.notify.SetReadDeadline(time.Now().Add(within)); err != nil {
		s.t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := s.notify.Read(text)
	if err != nil {
		s.t.Fatalf("nothing was told within %v: %v", within, err)
	}
	return string(text[:n])
}

// end asks the process to end, and kills it when the unit's time is over.
func (s *service) end() error {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(s.stop, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	return s.cmd.Wait()
}

// start runs the service until the test ends.
func (s *service) start() {
	s.t.Helper()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait() // which tells of the kill
		}
	})
}

// expect waits for a message to the supervisor.
func (s *service) expect(within time.Duration, want string) {
	s.t.Helper()
	if got := s.told(within); got != want {
		s.t.Fatalf("told %q, want %q", got, want)
	}
}

// What is told to the supervisor.
const (
	serving  = "READY=1\nSTATUS=serving\n"
	waiting  = "READY=1\nSTATUS=sealed: waits for shares of the root key\n"
	stopping = "STOPPING=1\nSTATUS=stopping\n"
)

// TestUnitServes: the command of the unit, as an ordinary user and with the root key as
// a credential, tells that it is ready when clients are served, keeps no root key beside
// the data, and ends in the time that the unit gives it.
func TestUnitServes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.start()
	s.expect(s.starts, serving)
	health(t, s.data, 0, "brokers: ok\nstore: ok\n")
	health(t, s.data, 0, "store: ok\n", "--live")
	roundTrip(t, s.data)
	if _, err := os.Stat(filepath.Join(s.data, "root.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a root key beside the data: %v", err)
	}
	if err := s.end(); err != nil {
		t.Errorf("%v\n%s", err, s.log.Bytes())
	}
	s.expect(kit.Patience, stopping)
	health(t, s.data, 1, "")
}

// health wants an answer of `coffer health` that begins so; warnings may follow.
func health(t *testing.T, data string, code int, out string, args ...string) {
	t.Helper()
	r := kit.Run(t, binary, append([]string{"health", "--data", data}, args...)...)
	if r.Code != code || !strings.HasPrefix(r.Out, out) {
		t.Errorf("coffer health %q: %d, %q, want %d, %q", args, r.Code, r.Out, code, out)
	}
}

// TestUnitSealed: who starts the unit does not wait for people with shares of the root
// key, and what it waits for is told.
func TestUnitSealed(t *testing.T) {
	t.Parallel()
	s := newService(t, "--root-key", "shares")
	out := kit.Run(t, binary, "root", "init", "--data", s.data, "--to", "shares",
		"--shares", "2", "--threshold", "2")
	s.own(s.data)
	s.start()
	s.expect(s.starts, waiting)
	const state = "root key: warning: sealed: 0 of 2 shares of the root key were given\n"
	health(t, s.data, 1, strings.Replace(state, "warning: ", "", 1)+state)
	health(t, s.data, 0, state, "--live")
	for i, share := range strings.Fields(out.Out) {
		file := filepath.Join(t.TempDir(), "share")
		if err := os.WriteFile(file, []byte(share), 0o600); err != nil {
			t.Fatal(err)
		}
		r := kit.Run(t, binary, "unseal", "--data", s.data, "--share", file)
		if r.Code != 0 {
			t.Fatalf("share %d: %s", i, r.Err)
		}
	}
	s.expect(s.starts, serving)
	roundTrip(t, s.data)
	if err := s.end(); err != nil {
		t.Errorf("%v\n%s", err, s.log.Bytes())
	}
}
