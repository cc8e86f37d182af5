package story

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/test/story/kit"
)

const rootWords = "orbit lantern quarry velvet thimble"

// wrapped gives a binary that starts coffer with files on descriptor 3 and as
// credentials of systemd.
func wrapped(t *testing.T, secret string) (script string) {
	t.Helper()
	dir := t.TempDir()
	script = filepath.Join(dir, "coffer")
	write(t, filepath.Join(dir, "root"), secret)
	write(t, script, fmt.Sprintf("#!/bin/sh\nCREDENTIALS_DIRECTORY=%s exec %s \"$@\" 3<%s\n",
		dir, binary, filepath.Join(dir, "root")))
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	return script
}

// TestRootKeySources: a directory that was begun with a source opens again with it and
// with what holds the same, after a kill; with a wrong secret or one of another kind no
// byte changes.
func TestRootKeySources(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("c0ffee42", 8)
	const credential = "passphrase:credential:root"
	other := strings.Repeat("5a", 32)
	for source, c := range map[string]struct{ secret, wrong, other, strange string }{
		"credential:root": {key, other, "fd:3", "passphrase:fd:3"},
		"fd:3":            {key + "\n", other, "credential:root", "shares"},
		"passphrase:fd:3": {rootWords + "\n", rootWords + "s", credential, "fd:3"},
		credential:        {rootWords, "", "passphrase:fd:3", "credential:root"},
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			right := wrapped(t, c.secret)
			s := kit.Start(t, kit.Config{Binary: right, Args: []string{"--root-key", source}})
			s.Secret(strings.TrimSpace(c.secret))
			ch := channel(t, s.Dial(s.Main()), true)
			declare(t, ch, "q")
			if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
				t.Fatal("a message is refused")
			}
			s.Kill()
			if _, err := os.Stat(filepath.Join(s.Data(), "root.key")); err == nil {
				t.Error("a root key stands beside the data")
			}
			if found := kit.Scan(t, s.Data(), strings.TrimSpace(c.secret)); len(found) > 0 {
				t.Errorf("the secret stands in %q", found)
			}
			before := digest(t, s.Data())
			for script, source := range map[string]string{
				wrapped(t, c.wrong): source, right: c.strange, binary: source,
			} {
				r := kit.Run(t, script, "serve", "--ports=auto", "--data", s.Data(),
					"--root-key", source)
				if r.Code != 2 || !strings.Contains(r.Err, "root") ||
					strings.Contains(r.Err, strings.TrimSpace(c.secret)) {
					t.Errorf("%s from %s: %d %s", source, script, r.Code, r.Err)
				}
			}
			if after := digest(t, s.Data()); !maps.Equal(before, after) {
				t.Errorf("the directory changed: %v", changes(before, after))
			}
			checked := kit.Run(t, right, "check", "--data", s.Data(), "--root-key", c.other)
			if checked.Code != 0 || !strings.Contains(checked.Out, "0 damaged") {
				t.Errorf("check: %s%s", checked.Out, checked.Err)
			}
			s = kit.Start(t, kit.Config{
				Binary: right, Data: s.Data(), Args: []string{"--root-key", c.other},
			})
			ch = channel(t, s.Dial(s.Main()), false)
			drain(t, consume(t, ch, "q", 1), 1, 1)
		})
	}
}

// TestPassphraseBackup: a backup has what a passphrase needs beside it, and nothing that
// helps to do without; a store that lost its header still has it inside.
func TestPassphraseBackup(t *testing.T) {
	t.Parallel()
	right := wrapped(t, rootWords)
	source := []string{"--root-key", "passphrase:fd:3"}
	s := kit.Start(t, kit.Config{Binary: right, Args: source})
	to, data := filepath.Join(t.TempDir(), "to"), filepath.Join(t.TempDir(), "data")
	run := func(script string, code int, args ...string) {
		t.Helper()
		if r := kit.Run(t, script, args...); r.Code != code {
			t.Fatalf("%q: %d %s%s", args, r.Code, r.Out, r.Err)
		}
	}
	run(right, 0, "backup", "--data", s.Data(), "--to", to)
	wrong := wrapped(t, rootWords+".")
	run(wrong, 2, append(source, "restore", "--from", to, "--data", data)...)
	if _, err := os.Stat(data); err == nil {
		t.Error("a wrong passphrase restores")
	}
	run(right, 0, append(source, "restore", "--from", to, "--data", data)...)
	kit.Start(t, kit.Config{Binary: right, Data: data, Args: source}).Stop()
	if err := os.Remove(filepath.Join(data, "store", "ROOTCHECK")); err != nil {
		t.Fatal(err)
	}
	run(wrong, 2, append(source, "serve", "--ports=auto", "--data", data)...)
	again := kit.Start(t, kit.Config{Binary: right, Data: data, Args: source})
	if !strings.Contains(again.Log(), "it was written again") {
		t.Error("nobody is told that the header was gone")
	}
	again.Stop()
	if _, err := os.Stat(filepath.Join(data, "store", "ROOTCHECK")); err != nil {
		t.Error(err)
	}
}
