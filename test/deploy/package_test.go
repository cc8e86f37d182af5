package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackage: what testdata/package.sh tells, on a machine with a systemd of its own.
func TestPackage(t *testing.T) {
	needMachine(t, "debootstrap", "systemd-nspawn", "dh", "lintian")
	trial := newTrial(t)
	built := buildPackage(t, filepath.Join(trial, "1"))
	command(t, "lintian", "--fail-on=error,warning", "--allow-root", built)
	tree, later := filepath.Join(trial, "tree"), filepath.Join(trial, "2")
	command(t, "dpkg-deb", "-R", built, tree)
	control := filepath.Join(tree, "DEBIAN/control")
	text, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "\nVersion: ", "\nVersion: 1000:", 1))
	if err := os.WriteFile(control, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(later, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "dpkg-deb", "-b", tree, later)
	script, err := os.ReadFile("testdata/package.sh")
	if err != nil {
		t.Fatal(err)
	}
	boot(t, trial, string(script))
}

// buildPackage builds the package of the working tree into a directory.
func buildPackage(t *testing.T, dir string) (file string) {
	t.Helper()
	return strings.TrimSpace(command(t, folder+"debian/build.sh", dir))
}

// newTrial is a folder with the client, until the test ends.
func newTrial(t *testing.T) string {
	t.Helper()
	trial := publicDir(t)
	if err := os.Link(client, filepath.Join(trial, "client")); err != nil {
		t.Fatal(err)
	}
	return trial
}
