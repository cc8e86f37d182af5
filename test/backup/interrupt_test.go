package backup

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var backupID = regexp.MustCompile(`(?m)^id ([0-9a-f]{32})$`)

// idOf gives the id in a manifest, also of a backup that is not complete.
func idOf(t testing.TB, to, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(to, name))
	if err != nil {
		t.Fatal(err)
	}
	m := backupID.FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s: no id in %q", name, text)
	}
	return string(m[1])
}

// begun runs `coffer backup` until it has begun to copy, and stops it there.
func begun(t testing.TB, binary, data, to string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(binary, "backup", "--data", data, "--to", to)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	until(t, "the backup is begun", func() bool {
		_, err := os.Stat(filepath.Join(to, "BACKUP.partial"))
		return err == nil
	})
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// filled gives a process with some stored files, and what is in them.
func filled(t *testing.T, dir, binary string) (*server, uint64) {
	t.Helper()
	live := serve(t, binary, path(dir, "live"))
	l := startLoad(live, "kept", 100<<10, false)
	l.reach(900)
	l.end()
	return live, l.confirmed.Load()
}

// restored drains what became of a backup.
func restored(t *testing.T, binary, to, key string, confirmed uint64) {
	t.Helper()
	data := to + "-restored"
	run(t, 0, binary, "restore", "--from", to, "--data", data)
	other := serve(t, binary, data, "--root-key", key)
	if first, last := drain(other, "kept"); first != 1 || last < confirmed {
		t.Errorf("%d to %d, %d were confirmed before", first, last, confirmed)
	}
}

// TestKilledCommand: the command is killed while it copies, and the process after
// it. The next command goes on with the same backup.
func TestKilledCommand(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live, confirmed := filled(t, dir, binary)
	to := path(dir, "backup")
	cmd, _ := begun(t, binary, live.data, to)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	id := idOf(t, to, "BACKUP.partial")
	refused(t, "it was not finished", binary, "restore", "--from", to, "--data", path(dir, "x"))
	live.kill()
	live.start()
	run(t, 0, binary, "backup", "--data", live.data, "--to", to)
	if got := idOf(t, to, "BACKUP"); got != id {
		t.Errorf("the backup is %s, begun was %s", got, id)
	}
	restored(t, binary, to, rootKey(live.data), confirmed)
}

// TestKilledServer: the process is killed while the command copies. The command
// ends well; the copy that it could not drop is dropped by the next command.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live, confirmed := filled(t, dir, binary)
	to := path(dir, "backup")
	cmd, out := begun(t, binary, live.data, to)
	live.kill()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "could not be dropped") {
		t.Errorf("the command ended with %v:\n%s", err, out)
	}
	id := idOf(t, to, "BACKUP")
	if left := checkpoints(t, live.data); len(left) != 1 || left[0] != id {
		t.Errorf("the data directory keeps %v, want %s", left, id)
	}
	// Nothing runs on the directory, and the second command needs no process.
	again := run(t, 0, binary, "backup", "--data", live.data, "--to", to).Out
	if left := checkpoints(t, live.data); len(left) != 0 || !strings.Contains(again, "before") {
		t.Errorf("the data directory keeps %v:\n%s", left, again)
	}
	restored(t, binary, to, rootKey(live.data), confirmed)
}

// TestStopped: a directory that nothing serves is backed up as well.
func TestStopped(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live, confirmed := filled(t, dir, binary)
	live.stop()
	to := path(dir, "backup")
	run(t, 0, binary, "backup", "--data", live.data, "--to", to)
	restored(t, binary, to, rootKey(live.data), confirmed)
	live.start()
	if first, last := drain(live, "kept"); first != 1 || last < confirmed {
		t.Errorf("the original has %d to %d, %d were confirmed", first, last, confirmed)
	}
}

// TestAbort: a backup that was begun is dropped, and nothing goes on with it.
func TestAbort(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live, _ := filled(t, dir, binary)
	var ids []string
	for n := range 2 {
		cmd, _ := begun(t, binary, live.data, path(dir, "backup", n))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		ids = append(ids, idOf(t, path(dir, "backup", n), "BACKUP.partial"))
	}
	third := path(dir, "third")
	refused(t, "at most 2 may be", binary, "backup", "--data", live.data, "--to", third)
	out := run(t, 0, binary, "backup", "--data", live.data, "--abort",
		"--to", path(dir, "backup0"))
	if !strings.Contains(out.Out, ids[0]) || strings.Contains(out.Out, ids[1]) {
		t.Errorf("dropped %q, want %s", out.Out, ids[0])
	}
	refused(t, "of which nothing is left", binary, "backup", "--data", live.data,
		"--to", path(dir, "backup0"))
	out = run(t, 0, binary, "backup", "--data", live.data, "--abort")
	if !strings.Contains(out.Out, ids[1]) {
		t.Errorf("dropped %q, want %s", out.Out, ids[1])
	}
	run(t, 0, binary, "backup", "--data", live.data, "--to", third)
}
