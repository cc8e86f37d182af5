package doctor

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// fill writes files of a directory, by name.
func fill(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFiles changes modes and expects what is told of them.
func TestFiles(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		file string
		mode os.FileMode
		want string
	}{
		"fine":                      {"store/data/1.sst", 0o600, ""},
		"public":                    {"ca.pem", 0o644, ""},
		"the directory itself":      {".", 0o755, ""},
		"public, others may write":  {"ca.pem", 0o666, "file.mode warning"},
		"the directory, too":        {".", 0o777, "file.mode warning"},
		"a table":                   {"store/data/1.sst", 0o640, "file.mode warning"},
		"the store":                 {"store", 0o755, "file.mode warning"},
		"a folder of a closed one":  {"store/data", 0o755, ""},
		"a secret":                  {"root.key", 0o644, "file.mode error"},
		"a secret, for the group":   {"root.key", 0o640, "file.mode error"},
		"what is not known of here": {"notes", 0o644, "file.mode warning"},
	} {
		dir := fill(t, map[string]string{
			"root.key": "1", "ca.pem": "2", "store/data/1.sst": "3", "notes": "4",
		})
		if err := os.Chmod(filepath.Join(dir, row.file), row.mode); err != nil {
			t.Fatal(err)
		}
		r := &Report{}
		Files{
			Dir: dir, Owner: -1, Secret: []string{"root.key"}, Public: []string{"ca.pem"},
		}.Check(r)
		if got := strings.Join(found(r), ", "); got != row.want {
			t.Errorf("%s: found %q, want %q", name, got, row.want)
		}
	}
}

// TestOwner is told of every file that is another user's.
func TestOwner(t *testing.T) {
	t.Parallel()
	dir := fill(t, map[string]string{"a": "", "b": "", "c": "", "d": ""})
	r := &Report{}
	Files{Dir: dir, Owner: os.Getuid() + 1}.Check(r)
	if got := strings.Join(found(r), ", "); got != "file.owner warning" {
		t.Errorf("found %q", got)
	}
	if seen := r.Findings[0].Seen; !strings.HasSuffix(seen, " and 2 more") {
		t.Errorf("told %q", seen)
	}
}

// TestUnread cannot look at a directory that is not there.
func TestUnread(t *testing.T) {
	t.Parallel()
	r := &Report{}
	Files{Dir: filepath.Join(fill(t, map[string]string{"file": ""}), "file", "x")}.Check(r)
	if got := strings.Join(found(r), ", "); got != "file.mode error" {
		t.Errorf("found %q", got)
	}
}

// TestRootKey finds a key on the file system of the data, and none elsewhere.
func TestRootKey(t *testing.T) {
	t.Parallel()
	dir := fill(t, map[string]string{"root.key": "secret"})
	for file, want := range map[string]string{
		filepath.Join(dir, "root.key"): "key.beside warning", "/proc/version": "",
		filepath.Join(dir, "gone"): "",
	} {
		if _, err := os.Stat("/proc/version"); err != nil && strings.HasPrefix(file, "/proc") {
			continue
		}
		r := &Report{}
		CheckRootKey(r, file, dir)
		if got := strings.Join(found(r), ", "); got != want {
			t.Errorf("%s: found %q, want %q", file, got, want)
		}
	}
}

// TestPorts finds who has a port, and that it is free afterwards.
func TestPorts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := Port{Name: "AMQP", Flag: "--amqp-port", Address: "127.0.0.1",
		Number: l.Addr().(*net.TCPAddr).Port}
	r := &Report{}
	CheckFree(t.Context(), r, []Port{p})
	if got := strings.Join(found(r), ", "); got != "port.taken error" {
		t.Errorf("taken: found %q", got)
	}
	told := r.Findings[0].Seen + r.Findings[0].Do
	if !strings.Contains(told, "--amqp-port") ||
		runtime.GOOS == "linux" && !strings.Contains(told, "doctor.test (process ") {
		t.Errorf("told %q", told)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// An address that is nobody's (RFC 5737).
	r = &Report{}
	p.Address = "192.0.2.1"
	CheckFree(t.Context(), r, []Port{p})
	if got := strings.Join(found(r), ", "); got != "port.taken error" {
		t.Errorf("no address: found %q", got)
	}
}

// TestMeasureSync leaves nothing behind.
func TestMeasureSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	took, err := MeasureSync(dir)
	if err != nil || len(took) == 0 {
		t.Errorf("%v, %v", took, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := MeasureSync(filepath.Join(dir, "none")); err == nil {
		t.Error("wrote into a directory that is not there")
	}
}
