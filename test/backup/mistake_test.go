package backup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMistakes: what a user gets wrong is told in words, and changes nothing.
func TestMistakes(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live := serve(t, binary, path(dir, "live"))
	to, full, wrong := path(dir, "backup"), path(dir, "full"), path(dir, "wrong.key")
	write(t, filepath.Join(full, "mine"), "text")
	write(t, wrong, strings.Repeat("5a", 32))
	data := []string{"backup", "--data", live.data}
	refused(t, "--to", binary, data...)
	refused(t, "is not empty", binary, append(data, "--to", full)...)
	refused(t, "in the data directory", binary, append(data, "--to", path(live.data, "/b"))...)
	refused(t, "cannot hold a backup", binary, append(data, "--to", path(wrong, "/b"))...)
	refused(t, "is no data directory", binary, "backup", "--data", full, "--to", to)
	refused(t, "no backup that was begun", binary, append(data, "--abort", "--to", full)...)
	if left := checkpoints(t, live.data); len(left) != 0 {
		t.Errorf("the data directory keeps %v", left)
	}
	run(t, 0, binary, append(data, "--to", to)...)
	refused(t, "holds a complete backup", binary, append(data, "--to", to)...)

	restore := func(words, from, data string, more ...string) {
		t.Helper()
		refused(t, words, binary, append([]string{"restore", "--from", from, "--data", data},
			more...)...)
	}
	into := path(dir, "into")
	restore("--from", "", into)
	restore("is no backup", full, into)
	restore("is no backup", path(dir, "none"), into)
	restore("is not empty", to, full)
	restore("does not open the backup", to, into, "--root-key", wrong)
	restore("no such file", to, into, "--root-key", path(dir, "none"))
	write(t, filepath.Join(to, "data", "more"), "text")
	restore(filepath.Join(to, "data", "more"), to, into)
	if err := os.Remove(filepath.Join(to, "data", "more")); err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(to, "IDENTITY")
	text, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	write(t, identity, strings.Replace(string(text), "shards 1", "shards 9", 1))
	restore(identity+" is damaged", to, into)
	if _, err := os.Stat(into); err == nil {
		t.Error("something was restored")
	}
	write(t, identity, string(text))
	run(t, 0, binary, "restore", "--from", to, "--data", into)
	start := []string{"serve", "--ports=auto", "--data", into}
	refused(t, "does not open", binary, append(start, "--root-key", wrong)...)
	refused(t, "is missing", binary, start...)
}

// TestHeld: a process that holds the directory and does not answer is told from
// one that does not run.
func TestHeld(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live := serve(t, binary, path(dir, "live"))
	if err := os.Remove(filepath.Join(live.data, "endpoints.json")); err != nil {
		t.Fatal(err)
	}
	refused(t, "does not answer", binary, "backup", "--data", live.data, "--to", path(dir, "to"))
}
