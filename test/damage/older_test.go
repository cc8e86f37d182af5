package damage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/internal/store/embedded"
)

// TestOlder lets the program of another commit, COFFER_OLDER, meet the directory of
// this one: it refuses and changes nothing that it could read. The directory that
// the older one made is upgraded and served.
func TestOlder(t *testing.T) {
	commit := os.Getenv("COFFER_OLDER")
	if commit == "" {
		t.Skip("COFFER_OLDER names no commit with an older format")
	}
	tree0 := t.TempDir()
	binary := filepath.Join(tree0, "coffer")
	archive := exec.Command("bash", "-c", "git archive "+commit+" | tar -x -C "+tree0+
		" && cd "+tree0+" && go build -o "+binary+" ./cmd/coffer")
	archive.Dir = "../.."
	if text, err := archive.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	serve := func(dir string) string {
		c := exec.CommandContext(t.Context(), "timeout", "-s", "INT", "5", binary, "serve",
			"--data", dir, "--ports", "auto")
		c.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
			return strings.HasPrefix(kv, "COFFER_") // each is a setting
		})
		text, _ := c.CombinedOutput()
		return string(text)
	}
	w := &world{t: t}
	w.cert, w.key = pair(t)
	dir := filepath.Join(t.TempDir(), "data")
	if out := serve(dir); !strings.Contains(out, "msg=serving") {
		t.Fatalf("the older program does not serve: %s", out)
	}
	w.fill(dir, 10, nil)
	before := tree(t, dir)
	out := serve(dir)
	want := fmt.Sprint("format ", embedded.Format)
	if !strings.Contains(out, want) || strings.Contains(out, "msg=serving") {
		t.Errorf("the older program says %s", out)
	}
	after := tree(t, dir)
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s was changed by the older program", name)
		}
	}
	t.Logf("the older program says %s", out)
}
