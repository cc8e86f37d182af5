package story

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// TestAuditVerify: the trail of a directory is whole, while it is served, after a kill
// and after a stop; a copy of yesterday in its place is found by the file of heads
// alone, with status 1, and named at the next start.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	heads := filepath.Join(t.TempDir(), "heads")
	cfg := kit.Config{Binary: binary, Args: []string{"--audit-heads", heads}}
	s := kit.Start(t, cfg)
	verify := func(data string, args ...string) (process.Result, string) {
		t.Helper()
		r := kit.Run(t, binary, append([]string{"audit", "verify", "--data", data}, args...)...)
		return r, r.Out + r.Err
	}
	if r, text := verify(s.Data()); r.Code != 0 || !strings.Contains(text, "a copy was read") {
		t.Errorf("served: %d %s", r.Code, text)
	}
	kit.Wait(t, "a head", func() bool {
		text, err := os.ReadFile(heads)
		return err == nil && strings.HasSuffix(string(text), "\n")
	})
	s.Kill()
	key := kit.Run(t, binary, "audit", "key", "--data", s.Data())
	if r, text := verify(s.Data(), "--heads", heads); r.Code != 0 ||
		!strings.Contains(text, "\nkey "+key.Out) || !strings.Contains(text, "\n0 altered, in") {
		t.Errorf("killed: %d %s", r.Code, text)
	}
	if err := os.Remove(filepath.Join(s.Data(), "control.sock")); err != nil {
		t.Fatal(err) // a killed process leaves it, and it cannot be copied
	}
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(s.Data())); err != nil {
		t.Fatal(err)
	}
	cfg.Data = s.Data()
	s = kit.Start(t, cfg)
	s.Stop()
	if r, text := verify(s.Data(), "--heads", heads); r.Code != 0 {
		t.Errorf("stopped: %d %s", r.Code, text)
	}
	if r, text := verify(old); r.Code != 0 || !strings.Contains(text, "without --heads") {
		t.Errorf("an old copy by itself: %d %s", r.Code, text)
	}
	r, text := verify(old, "--heads", heads, "--output", "json")
	var report struct {
		Found    int
		Findings []struct{ Problem string }
	}
	if err := json.Unmarshal([]byte(r.Out), &report); err != nil {
		t.Fatal(err)
	}
	if r.Code != 1 || report.Found == 0 || !strings.Contains(r.Err, "trail is not whole") ||
		!strings.Contains(report.Findings[0].Problem, "an old copy was put back") {
		t.Errorf("an old copy: %d %s", r.Code, text)
	}
	to := filepath.Join(t.TempDir(), "export")
	if r := kit.Run(t, binary, "audit", "export", "--data", s.Data(), "--to", to); r.Code != 0 ||
		!strings.Contains(r.Out, "events of later hours are left") {
		t.Errorf("export: %d %s%s", r.Code, r.Out, r.Err)
	}
}
