package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestExportedVersion(t *testing.T) {
	t.Parallel()
	const name = "6042a70260d3b7a1f3b1c5d0a2a4d5e6f7a8b9c0"
	for text, want := range map[string]string{
		"":                                     "",
		"$Format:%(describe) %ct %H$\n":        "",
		"v1.2.0\n":                             "v1.2.0",
		"v1.2.0 1700000000 " + name:            "v1.2.0",
		"v1.2.0-3-gabcdef0 1700000000 " + name: "v1.2.0-3-gabcdef0",
		" 1700000000 " + name + "\n":           "v0.0.0-20231114221320-6042a70260d3",
		"%(describe) 1700000000 " + name:       "v0.0.0-20231114221320-6042a70260d3",
		" 1700000000 6042":                     "",
		" yesterday " + name:                   "",
	} {
		if got := exportedVersion(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestArchive builds with the file of the version as git archive gives it, without git.
func TestArchive(t *testing.T) {
	t.Parallel()
	const name = "cmd/coffer/VERSION"
	git := exec.CommandContext(t.Context(), "git", "-C", "../..", "archive", "HEAD", name)
	archive, err := git.Output()
	if err != nil {
		t.Skip("the sources are not in git: ", err)
	}
	files := tar.NewReader(bytes.NewReader(archive))
	for h := (&tar.Header{}); h.Name != name; {
		if h, err = files.Next(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(files)
	if err != nil {
		t.Fatal(err)
	}
	place, err := filepath.Abs("VERSION")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {place: filepath.Join(dir, "VERSION")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"VERSION": text, "overlay": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	binary := filepath.Join(dir, "coffer")
	run("go", "build", "-buildvcs=false", "-overlay", filepath.Join(dir, "overlay"),
		"-o", binary, ".")
	want, _, _ := strings.Cut(run("../../deploy/version.sh"), "+dirty")
	if got := run(binary, "version"); !strings.HasPrefix(got, "coffer "+want+" ") {
		t.Errorf("%q, want %s", got, want)
	}
}
