package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var incarnation = regexp.MustCompile(`incarnation ([0-9a-f]{32})`)

// TestUnderLoad: a backup of a process under load has all that was confirmed before
// it began and not settled before it ended, in order; the restored directory is
// told apart; the wrong root key is refused.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live := serve(t, binary, path(dir, "live"))
	kept := startLoad(live, "kept", 2000, false)
	worked := startLoad(live, "worked", 2000, true)
	for round := range 3 {
		kept.reach(uint64(2000 * (round + 1)))
		worked.reach(uint64(2000 * (round + 1)))
		to := path(dir, "backup", round)
		before := [2]uint64{kept.confirmed.Load(), worked.confirmed.Load()}
		run(t, 0, binary, "backup", "--data", live.data, "--to", to)
		settled := worked.settled.Load()
		if left := checkpoints(t, live.data); len(left) != 0 {
			t.Errorf("the data directory keeps %v", left)
		}
		data := path(dir, "restored", round)
		key := rootKey(live.data)
		run(t, 0, binary, "restore", "--from", to, "--data", data, "--root-key", key)
		other := serve(t, binary, data, "--root-key", key)
		if first, last := drain(other, "kept"); first != 1 || last < before[0] {
			t.Errorf("kept: %d to %d, %d were confirmed before", first, last, before[0])
		}
		if first, last := drain(other, "worked"); first > settled+1 && first != 0 ||
			last < before[1] && settled < before[1] {
			t.Errorf("worked: %d to %d; %d confirmed before, %d settled by the end",
				first, last, before[1], settled)
		}
		told(t, live, other, to)
		other.stop()
	}
}

// told requires the restored store to differ in its incarnation alone, and to say
// from what it is.
func told(t *testing.T, live, other *server, to string) {
	t.Helper()
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	a := read(filepath.Join(live.data, "store", "IDENTITY"))
	b := read(filepath.Join(other.data, "store", "IDENTITY"))
	one, two := incarnation.FindString(a), incarnation.FindString(b)
	cluster := strings.Split(a, "\n")[1]
	if one == two || one == "" || two == "" || !strings.Contains(b, cluster) {
		t.Errorf("identities\n%s\n%s", a, b)
	}
	log := other.Log()
	if !strings.Contains(log, "restored from a backup") ||
		!strings.Contains(log, strings.TrimPrefix(two, "incarnation ")) {
		t.Errorf("the log does not tell:\n%s", log)
	}
	if !strings.Contains(read(filepath.Join(to, "BACKUP")), one) {
		t.Errorf("the backup is not of %s", one)
	}
}

// TestNothingSecret: no file of a backup holds the root key, the credentials, the
// password, or the text of a message.
func TestNothingSecret(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), build(t)
	live := serve(t, binary, path(dir, "live"))
	l := startLoad(live, "kept", 500, false)
	l.reach(100)
	to := path(dir, "backup")
	out := run(t, 0, binary, "backup", "--data", live.data, "--to", to).Out
	if !strings.Contains(out, rootKey(live.data)+" is not in it") {
		t.Errorf("the command does not tell of the root key:\n%s", out)
	}
	var secrets [][]byte
	for _, name := range []string{"root.key", "main-admin", "credentials"} {
		text, err := os.ReadFile(filepath.Join(live.data, name))
		if err != nil {
			t.Fatal(err)
		}
		words := bytes.Fields(text)
		secrets = append(secrets, words[len(words)-1])
	}
	secrets = append(secrets, make([]byte, 400)) // of a message
	err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		if d.IsDir() || d.Name() == "FLOOR" { // which is zeros for the most part
			return nil
		}
		text, err := os.ReadFile(path)
		for i, secret := range secrets {
			if bytes.Contains(text, secret) {
				t.Errorf("%s holds secret %d", path, i)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
