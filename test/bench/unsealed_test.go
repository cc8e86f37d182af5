package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/bench"
	"coffer/test/process"
)

// TestNoSealingIsApart: what seals nothing still fits in its place, and an ordinary
// binary has nothing of it.
func TestNoSealingIsApart(t *testing.T) {
	t.Parallel()
	if _, err := buildUnsealed(t.Context(), t.TempDir(), "coffer/internal/seal"); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(program)
	if err != nil || bytes.Contains(text, []byte(mark)) {
		t.Errorf("the binary may not seal, %v", err)
	}
}

// TestUnsealed: the binary that seals nothing works, shows on the disk what it was sent,
// and shares no data directory with an ordinary one, which shows nothing. It takes a
// minute to build, so it runs with the figures.
func TestUnsealed(t *testing.T) {
	if s := newSettings(t); s.suite != "table" {
		t.Skip("make bench runs it")
	}
	unsealed, err := buildUnsealed(t.Context(), t.TempDir(), "coffer/cmd/coffer")
	check(t, err)
	for binary, other := range map[string]string{program: unsealed, unsealed: program} {
		data := filepath.Join(t.TempDir(), "data")
		p, err := process.Start(t.Context(), binary, data)
		check(t, err)
		env, err := p.Env(t.Context())
		check(t, err)
		cfg := bench.Config{Preload: 1000, Consumers: 1}
		cfg.Target.URL, cfg.Target.CA = env["COFFER_AMQP_URL"], env["COFFER_CA"]
		r, err := bench.Run(t.Context(), cfg)
		if err != nil || r.Messages.Received != 1000 || !r.Messages.Whole() {
			t.Errorf("got %+v, %v", r, err)
		}
		check(t, p.Kill())
		if found := holds(t, data, mark); found != (binary == unsealed) {
			t.Errorf("%s: the mark is on the disk: %t", binary, found)
		}
		if p, err := process.Start(t.Context(), other, data); err == nil {
			t.Errorf("%s serves what %s wrote", other, binary)
			p.Kill()
		}
	}
}

// holds looks for text in all files of a directory.
func holds(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	check(t, err)
	return found
}
