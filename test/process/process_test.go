package process_test

import (
	"path/filepath"
	"strings"
	"testing"

	"coffer/test/process"
)

// TestLife starts, kills and stops a process, and shows why one does not start.
func TestLife(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	binary, err := process.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	p, err := process.Start(ctx, binary, data)
	if err != nil {
		t.Fatal(err)
	}
	env, err := p.Env(ctx)
	if url := env["COFFER_AMQP_URL"]; err != nil || !strings.HasPrefix(url, "amqps://") {
		t.Errorf("got %q, %v", url, err)
	}
	_, err = process.Start(ctx, binary, data)
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second process: got %v", err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if err := p.Kill(); err == nil {
		t.Error("killed twice")
	}
	if p, err = process.Start(ctx, binary, data); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
