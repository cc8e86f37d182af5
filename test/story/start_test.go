package story

import (
	"crypto/sha256"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/listen/listentest"
	"coffer/test/story/kit"
)

// refusedStart runs serve, which must end with an error that has the words.
func refusedStart(t *testing.T, words []string, args ...string) {
	t.Helper()
	r := kit.Run(t, binary, append([]string{"serve"}, args...)...)
	if r.Code == 0 {
		t.Errorf("serve %q: ended without an error", args)
	}
	last := r.Err[strings.LastIndex(strings.TrimSpace(r.Err), "\n")+1:]
	for _, w := range words {
		if !strings.HasPrefix(last, "coffer: ") || !strings.Contains(last, w) {
			t.Errorf("serve %q: %q does not say %q", args, last, w)
		}
	}
}

// TestSecondProcess: one directory, one process.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	s := start(t)
	refusedStart(t, []string{s.Data(), "in use by another process", "--data"},
		"--ports=auto", "--data", s.Data())
	ch := channel(t, s.Dial(s.Main()), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Error("the first process refuses a message")
	}
	if r := kit.Run(t, binary, "env", "--data", s.Data()); r.Code != 0 {
		t.Errorf("coffer env after the second process: %s", r.Err)
	}
}

// TestRootKey: without the right root key nothing opens and nothing is lost;
// without any, no byte changes.
func TestRootKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	ch := channel(t, s.Dial(s.Main()), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Fatal("a message is refused")
	}
	s.Stop()
	before := digest(t, s.Data())
	own := filepath.Join(s.Data(), "root.key")
	key, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	s.Secret(strings.TrimSpace(string(key)))
	dir := t.TempDir()
	wrong, bad := filepath.Join(dir, "wrong"), filepath.Join(dir, "bad")
	none := filepath.Join(dir, "none")
	write(t, wrong, strings.Repeat("5a", 32)+"\n")
	write(t, bad, "not a key\n")
	for file, words := range map[string][]string{
		bad:   {bad, "hexadecimal"},
		none:  {none, "missing", "--root-key"},
		wrong: {wrong, s.Data(), "--root-key"},
	} {
		refusedStart(t, words, "--ports=auto", "--data", s.Data(), "--root-key", file)
		if after := digest(t, s.Data()); !maps.Equal(before, after) {
			t.Errorf("%s: the directory changed: %v", file, changes(before, after))
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a new root key was made beside data that it cannot open")
	}
	s.Restart()
	ch = channel(t, s.Dial(s.Main()), false)
	drain(t, consume(t, ch, "q", 1), 1, 1)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// digest gives what stands in each file of a directory.
func digest(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	m := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		m[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func changes(before, after map[string][32]byte) (list []string) {
	for path := range maps.Keys(before) {
		if after[path] != before[path] {
			list = append(list, path)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			list = append(list, "new "+path)
		}
	}
	return list
}

// TestPortInUse: the error names the port, what it is for, and the flag.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	used := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	for flag, name := range map[string]string{
		"--api-port": "api", "--amqp-port": "amqp", "--metrics-port": "metrics",
		"--management-port": "management",
	} {
		data := filepath.Join(t.TempDir(), "data")
		args := []string{"--data", data}
		low := listentest.Ports(t, 4)
		for i, f := range []string{"--api-port", "--amqp-port", "--metrics-port",
			"--management-port"} {
			port := used
			if f != flag {
				port = strconv.Itoa(low + i)
			}
			args = append(args, f, port)
		}
		refusedStart(t, []string{"127.0.0.1:" + used, name, "in use", flag}, args...)
		if r := kit.Run(t, binary, "env", "--data", data); r.Code == 0 {
			t.Errorf("%s: coffer env prints %q", flag, r.Out)
		}
	}
}

// TestEnvWithoutProcess: env has nothing to print, and says so, even when a
// killed process left its endpoints.
func TestEnvWithoutProcess(t *testing.T) {
	t.Parallel()
	s := start(t)
	empty := t.TempDir()
	for i, dir := range []string{empty, s.Data()} {
		if i == 1 {
			s.Kill()
		}
		r := kit.Run(t, binary, "env", "--data", dir)
		if r.Code == 0 || r.Out != "" || !strings.Contains(r.Err, "nothing runs on "+dir) ||
			!strings.Contains(r.Err, "coffer serve --data "+dir) {
			t.Errorf("env of %s: %+v", dir, r)
		}
	}
	s.Restart()
	s.Stop()
	if _, err := os.Stat(filepath.Join(s.Data(), "endpoints.json")); err == nil {
		t.Error("endpoints.json is left after a stop")
	}
	if r := kit.Run(t, binary, "env", "--data", s.Data()); r.Code == 0 || r.Out != "" {
		t.Errorf("env after a stop: %+v", r)
	}
}

// TestPrivateFiles_MQ15: what opens doors can be read by its owner only, and
// stands nowhere else (MQ-15).
func TestPrivateFiles_MQ15(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, want := range map[string]fs.FileMode{
		"": 0o700, "root.key": 0o600, "credentials": 0o600, "main-admin": 0o600,
	} {
		info, err := os.Stat(filepath.Join(s.Data(), name))
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %v, want %v", name, got, want)
		}
	}
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := main.User.Password()
	for word, file := range map[string]string{
		s.Env["AWS_SECRET_ACCESS_KEY"]: "credentials", password: "main-admin",
	} {
		found := kit.Scan(t, s.Data(), word)
		if len(found) != 1 || filepath.Base(found[0]) != file {
			t.Errorf("what is for %s stands in %v", file, found)
		}
	}
}

// TestInsecureLoopback: a plain listener for this machine, and no other.
func TestInsecureLoopback(t *testing.T) {
	t.Parallel()
	s := start(t, "--insecure-loopback")
	if !strings.Contains(s.Log(), "INSECURE") {
		t.Error("the log does not shout")
	}
	plain := s.Env["COFFER_AMQP_PLAIN_URL"]
	if !strings.HasPrefix(plain, "amqp://") {
		t.Fatalf("COFFER_AMQP_PLAIN_URL is %q", plain)
	}
	ch := channel(t, s.Dial(plain), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Error("a message is refused")
	}
	refusedStart(t, []string{"--insecure-loopback", "0.0.0.0"},
		"--ports=auto", "--insecure-loopback", "--listen", "0.0.0.0",
		"--data", filepath.Join(t.TempDir(), "data"))
	if _, ok := start(t).Env["COFFER_AMQP_PLAIN_URL"]; ok {
		t.Error("a plain URL without --insecure-loopback")
	}
}
