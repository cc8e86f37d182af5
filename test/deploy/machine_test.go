package deploy

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"coffer/test/process"
)

// A Debian of the least size, with what the guide tells to install.
const (
	suite    = "bookworm"
	included = "systemd,systemd-sysv,dbus,ca-certificates,curl,sudo"
)

// trialTime bounds what is done with root, which takes minutes on a machine at work.
const trialTime = 15 * time.Minute

// needMachine skips a test that was not asked for, or takes root, and fails one that needs
// what is not installed.
func needMachine(t *testing.T, commands ...string) {
	t.Helper()
	if !packages() {
		t.Skip("make packages runs it")
	}
	if os.Getuid() != 0 {
		t.Skip("a machine of its own takes root")
	}
	for _, command := range commands {
		if _, err := exec.LookPath(command); err != nil {
			t.Fatal(err)
		}
	}
}

// command runs one that must succeed, and gives what it prints.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), trialTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.SysProcAttr = process.Environment(), process.Die()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// debian gives the tree of a Debian that was never started. It is kept for the next run,
// beside what the tests of other clients keep.
func debian(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(cache, "coffer-packages", suite)
	if _, err := os.Stat(tree); !errors.Is(err, fs.ErrNotExist) {
		return tree
	}
	if err := os.MkdirAll(filepath.Dir(tree), 0o755); err != nil {
		t.Fatal(err)
	}
	half, err := os.MkdirTemp(filepath.Dir(tree), "new-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(half) })
	command(t, "debootstrap", "--variant=minbase", "--include="+included, suite, half)
	if err := os.Chmod(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(half, tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// prelude stands before each script: absent and refused are what must not be there and
// what must fail, which set -e alone would pass over.
const prelude = `set -euxo pipefail
absent() { for file; do if [ -e "$file" ]; then echo "$file is there"; return 1; fi; done; }
refused() { if "$@"; then echo "not refused: $*"; return 1; fi; }
`

// booted is how a machine is made ready for a script.
const booted = `echo 127.0.0.1 localhost >/etc/hosts # as an installer does
trap 'status=$?; [ $status = 0 ] || journalctl --no-pager -u "coffer*" | tail -20' EXIT
`

// boot starts a machine that has nothing but Debian and the folder /trial, has it run a
// script, and ends it. What it changed is gone, but for /trial.
func boot(t *testing.T, trial, script string) {
	t.Helper()
	err := os.WriteFile(filepath.Join(trial, "script"), []byte(prelude+booted+script), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := filepath.Abs("testdata/trial.service")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), trialTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "--directory", debian(t),
		"--volatile=overlay", "--boot", "--register=no", "--keep-unit", "--private-network",
		"--console=pipe", "--bind="+trial+":/trial",
		"--bind-ro="+unit+":/etc/systemd/system/trial.service", "systemd.wants=trial.service")
	cmd.SysProcAttr = process.Die()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	console, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(trial, "log")) // none when it did not boot
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, tail(console), log)
	}
}

// tail gives the end of a text that is too long to read.
func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }
