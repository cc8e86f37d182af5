package story

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// locked is a process that is sealed.
type locked struct {
	t    *testing.T
	data string
	cmd  *exec.Cmd

	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes the log.
func (w *locked) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *locked) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// sealedProcess starts a process that waits for shares, until the test ends.
func sealedProcess(t *testing.T, data string) *locked {
	t.Helper()
	w := &locked{t: t, data: data}
	w.cmd = exec.Command(binary, "serve", "--ports=auto", "--data", data)
	w.cmd.Stderr, w.cmd.Env, w.cmd.SysProcAttr = w, process.Environment(), process.Die()
	w.cmd.SysProcAttr.Setsid = true // no terminal
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			w.end(syscall.SIGKILL)
		}
	})
	kit.Wait(t, "the process to be sealed", func() bool {
		return strings.Contains(w.text(), "level=WARN msg=\"sealed:")
	})
	return w
}

func (w *locked) end(s syscall.Signal) {
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Error(err)
	}
	_ = w.cmd.Wait() // a kill is its error; the state tells all
}

// ask gives what a path of the health port answers.
func (w *locked) ask(path string) (int, string) {
	w.t.Helper()
	port := regexp.MustCompile(`health=(\d+)`).FindStringSubmatch(w.text())
	r, err := http.Get("http://127.0.0.1:" + port[1] + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// expect runs a command that must end so, and gives what it prints.
func expect(t *testing.T, code int, words string, args ...string) string {
	t.Helper()
	r := kit.Run(t, binary, args...)
	if r.Code != code || !strings.Contains(r.Out+r.Err, words) {
		t.Errorf("%q ends with %d, want %d and %q: %s%s", args, r.Code, code, words, r.Out, r.Err)
	}
	return r.Out
}

// shares makes a data directory under shares and gives a file with each.
func shares(t *testing.T, data, to string) (files []string) {
	t.Helper()
	out := expect(t, 0, "was made", "root", "init", "--data", data, "--to", to,
		"--shares", "3", "--threshold", "2")
	for i, line := range strings.Fields(out) {
		files = append(files, filepath.Join(t.TempDir(), string(rune('1'+i))))
		write(t, files[i], line+"\n")
	}
	return files
}

// TestUnseal: a process whose root key is in shares serves nothing until enough of them
// were given, tells what is wrong with each that is not, and changes nothing for it.
func TestUnseal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, strings.Repeat("a-long-name-", 10), "data") // of a socket
	mine, foreign := shares(t, data, "shares"), shares(t, filepath.Join(dir, "other"), "shares")
	if len(mine) != 3 {
		t.Fatalf("%d shares", len(mine))
	}
	expect(t, 1, "holds data already", "root", "init", "--data", data, "--to", "shares")
	before := digest(t, data)
	w := sealedProcess(t, data)
	status := []string{"root", "status", "--data", data}
	give := func(code int, words, file string) {
		t.Helper()
		expect(t, code, words, "unseal", "--data", data, "--share", file)
	}
	expect(t, 0, "sealed; the root key is made of shares; 0 of 2 shares were given", status...)
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/metrics": 200} {
		code, text := w.ask(path)
		if code != want || !strings.Contains(text, "sealed") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	expect(t, 1, "nothing runs on", "env", "--data", data)
	refusedStart(t, []string{data, "in use by another process"}, "--ports=auto", "--data", data)
	bad := filepath.Join(dir, "bad")
	write(t, bad, "no share")
	give(2, "this is no share", bad)
	give(2, "of another root key", foreign[0])
	give(0, "1 of 2 shares were given", mine[2])
	give(2, "share 3 was given before", mine[2])
	give(2, "of another root key", foreign[1])
	if after := digest(t, data); !maps.Equal(before, after) {
		t.Errorf("the directory changed: %v", changes(before, after))
	}
	w.end(syscall.SIGTERM)
	if s := w.cmd.ProcessState; s.ExitCode() != 0 {
		t.Errorf("a stop while sealed: %s\n%s", s, w.text())
	}
	w = sealedProcess(t, data) // what was given is forgotten
	give(0, "1 of 2 shares were given", mine[0])
	give(0, "unsealed", mine[2])
	kit.Wait(t, "the process to serve", func() bool {
		return strings.Contains(w.text(), "msg=serving")
	})
	give(2, "the process is not sealed", mine[1])
	expect(t, 0, "serving; the root key is made of shares", status...)
	expect(t, 0, "AWS_ENDPOINT_URL", "env", "--data", data)
	for _, file := range append(mine, foreign...) {
		text, err := os.ReadFile(file)
		if err != nil || strings.Contains(w.text(), string(text[:20])) {
			t.Errorf("the log shows a share: %v", err)
		}
	}
	w.end(syscall.SIGKILL)
	sharesAgain(t, data, mine)
}

// sharesAgain opens a directory that was killed with shares from a descriptor.
func sharesAgain(t *testing.T, data string, mine []string) {
	t.Helper()
	var text [][]byte
	for _, file := range mine {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b)
	}
	one := wrapped(t, string(text[0]))
	r := kit.Run(t, one, "check", "--data", data, "--root-key", "shares:fd:3")
	if !strings.Contains(r.Out, "1 shares, 2 are needed") {
		t.Errorf("one share: %+v", r)
	}
	two := wrapped(t, string(text[0])+"\n"+string(text[1]))
	r = kit.Run(t, two, "check", "--data", data, "--root-key", "shares:fd:3")
	if r.Code != 0 || !strings.Contains(r.Out, "0 damaged") {
		t.Errorf("two shares: %+v", r)
	}
	s := kit.Start(t, kit.Config{
		Binary: two, Data: data, Args: []string{"--root-key", "shares:fd:3"},
	})
	channel(t, s.Dial(s.Main()), true)
}

// TestPrompt asks for a passphrase on a terminal, twice the first time, and shows
// nothing of it.
func TestPrompt(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("needs script(1) for a terminal")
	}
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		args, answers string
		code          int
		words         string
	}{
		{"root init --to passphrase", rootWords + "\n" + rootWords + "x\n", 2, "differ"},
		{"root init --to passphrase", "short\nshort\n", 2, "too short"},
		{"root init --to passphrase", rootWords + "\n" + rootWords + "\n", 0, "was made"},
		{"check", rootWords + "x\n", 1, "does not open"},
		{"check", rootWords + "\n", 0, "control state: 2 rows"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
		cmd := exec.CommandContext(ctx, script, "-qec", binary+" "+c.args+" --data "+data,
			"/dev/null")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out := &typist{in: in, answers: strings.SplitAfter(c.answers, "\n")}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the state tells
		cancel()
		if got := cmd.ProcessState.ExitCode(); got != c.code ||
			!strings.Contains(out.String(), c.words) {
			t.Errorf("%s: %d, want %d and %q: %s", c.args, got, c.code, c.words, out.String())
		}
		if strings.Contains(out.String(), rootWords[:8]) {
			t.Errorf("%s: the terminal shows the passphrase: %s", c.args, out.String())
		}
	}
}

// typist answers the questions on a terminal, each when it is asked.
type typist struct {
	out     bytes.Buffer
	in      io.Writer
	answers []string
	asked   int
}

func (y *typist) String() string { return y.out.String() }

// Write takes what the terminal shows.
func (y *typist) Write(p []byte) (int, error) {
	n, err := y.out.Write(p)
	questions := strings.Count(y.out.String(), "root key: ") +
		strings.Count(y.out.String(), "again: ")
	for ; y.asked < questions && y.asked < len(y.answers) && err == nil; y.asked++ {
		_, err = io.WriteString(y.in, y.answers[y.asked])
	}
	return n, err
}

// TestRotateKinds: a directory goes from a file to a passphrase to shares while it serves;
// what opened it before does so no more, but opens the backup of that time.
func TestRotateKinds(t *testing.T) {
	t.Parallel()
	words := wrapped(t, rootWords)
	s := start(t)
	ch := channel(t, s.Dial(s.Main()), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Fatal("a message is refused")
	}
	backup, key := filepath.Join(t.TempDir(), "backup"), filepath.Join(s.Data(), "root.key")
	expect(t, 0, "is complete", "backup", "--data", s.Data(), "--to", backup)
	rotate := []string{"root", "rotate", "--data", s.Data(), "--to"}
	if r := kit.Run(t, words, append(rotate, "passphrase:fd:3")...); r.Code != 0 {
		t.Fatalf("to a passphrase: %+v", r)
	}
	expect(t, 0, "made of a passphrase", "root", "status", "--data", s.Data())
	out := expect(t, 0, "was replaced",
		append(rotate, "shares", "--shares", "2", "--threshold", "2")...)
	s.Kill()
	given := wrapped(t, out)
	for script, source := range map[string]string{binary: key, words: "passphrase:fd:3"} {
		r := kit.Run(t, script, "serve", "--ports=auto", "--data", s.Data(), "--root-key", source)
		if r.Code != 2 || !strings.Contains(r.Err, "made of shares") {
			t.Errorf("%s: %+v", source, r)
		}
	}
	s = kit.Start(t, kit.Config{
		Binary: given, Data: s.Data(), Args: []string{"--root-key", "shares:fd:3"},
	})
	drain(t, consume(t, channel(t, s.Dial(s.Main()), false), "q", 1), 1, 1)
	data := filepath.Join(t.TempDir(), "data")
	expect(t, 0, "restored", "restore", "--from", backup, "--data", data, "--root-key", key)
	kit.Start(t, kit.Config{Binary: binary, Data: data, Args: []string{"--root-key", key}})
}
