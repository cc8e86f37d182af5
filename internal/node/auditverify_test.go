package node

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
)

// withHeads keeps the heads of a world's trail in a file elsewhere.
func withHeads(t *testing.T) (file string, change func(*Config)) {
	file = filepath.Join(t.TempDir(), "heads")
	return file, func(c *Config) { c.AuditHeads = file }
}

func verified(t *testing.T, cfg AuditConfig) *AuditReport {
	t.Helper()
	r, err := VerifyAudit(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestVerifyAudit: the trail is whole while the process serves and after it stopped,
// and its key is told; a wrong root key, or a file that is not there, is an error.
func TestVerifyAudit(t *testing.T) {
	t.Parallel()
	heads, change := withHeads(t)
	w := newWorld(t, change)
	if r := verified(t, AuditConfig{Data: w.cfg.Data}); !r.Whole() || !r.Live ||
		len(r.Trees) != 2 || r.Trees[0].Leaves == 0 {
		t.Errorf("live: %+v, %+v", r, r.Proof)
	}
	live, err := AuditKey(t.Context(), AuditConfig{Data: w.cfg.Data})
	if err != nil || !strings.Contains(w.log.String(), live) {
		t.Errorf("key %s, %v", live, err)
	}
	if list, err := w.n.backups.List(); err != nil || len(list) != 0 {
		t.Errorf("left %v, %v", list, err)
	}
	w.stop()
	r := verified(t, AuditConfig{Data: w.cfg.Data, Heads: heads})
	if !r.Whole() || r.Live || r.Heads == 0 || r.Verifier != live {
		t.Errorf("stopped: %+v, %+v", r, r.Proof)
	}
	for _, tree := range r.Trees {
		if tree.Signed != tree.Leaves {
			t.Errorf("a stop left %+v", tree)
		}
	}
	other := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(other, []byte(strings.Repeat("00", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]AuditConfig{
		"a wrong root key": {Data: w.cfg.Data, RootKey: other},
		"no file":          {Data: w.cfg.Data, Heads: heads + ".gone"},
		"no data":          {Data: t.TempDir()},
	} {
		if _, err := VerifyAudit(t.Context(), cfg); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVerifyRestored: a restored directory is whole by itself; heads of the original
// that tell of what came after the backup are told as another history, before the
// first start and after it, until somebody says that this was meant.
func TestVerifyRestored(t *testing.T) {
	t.Parallel()
	heads, change := withHeads(t)
	w := newWorld(t, change)
	dir := t.TempDir()
	to, data := filepath.Join(dir, "backup"), filepath.Join(dir, "data")
	b, err := Backup(t.Context(), BackupConfig{Data: w.cfg.Data, To: to})
	if err != nil {
		t.Fatal(err)
	}
	c := w.reach()
	for range 5 {
		if _, err := c.DescribeStore(t.Context(), &api.DescribeStoreInput{}); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	key := filepath.Join(w.cfg.Data, fileRootKey)
	if _, err := Restore(t.Context(), RestoreConfig{From: to, Data: data}); err != nil {
		t.Fatal(err)
	}
	original := verified(t, AuditConfig{Data: w.cfg.Data, Heads: heads}).Incarnation
	check := func(when, heads, backup string) {
		t.Helper()
		cfg := AuditConfig{Data: data, RootKey: key}
		if r := verified(t, cfg); !r.Whole() {
			t.Errorf("%s, by itself: %+v", when, r.Proof)
		}
		cfg.Heads = heads
		r := verified(t, cfg)
		if r.Whole() || r.Found > 0 || len(r.Apart) != 1 || r.Apart[0].Events < 5 ||
			r.Apart[0].Incarnation.String() != original || r.Apart[0].Backup != backup {
			t.Errorf("%s: %+v", when, r.Proof)
		}
		for _, accept := range []string{original, backup} {
			cfg.Accept = []string{accept}
			if r := verified(t, cfg); r.Whole() != (accept != "") {
				t.Errorf("%s, accepting %q: %+v", when, accept, r.Proof)
			}
		}
	}
	check("before the first start", heads, "")
	n, err := Start(t.Context(), Config{
		Data: data, RootKey: key, AutoPorts: true, Logger: w.cfg.Logger, AuditHeads: heads})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after it", heads, b.ID)
	// The original does not take the copy for an attack, nor for itself.
	r := verified(t, AuditConfig{Data: w.cfg.Data, Heads: heads})
	if r.Found > 0 || len(r.Apart) != 1 || r.Apart[0].Backup != b.ID {
		t.Errorf("the original: %+v", r.Proof)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"apart":[{"incarnation":"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestAuditHeadsFile: a file that cannot be written does not keep a process from
// serving; health and metrics tell it, and heads go there when it can be. One in the
// data directory is refused.
func TestAuditHeadsFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "later")
	file := filepath.Join(dir, "heads")
	w := newWorld(t, func(c *Config) { c.AuditHeads = file })
	waitFor(t, func() bool { return w.n.trail.Stats().Err != nil })
	if _, text := w.health("/readyz"); !strings.Contains(text, "audit heads: ") ||
		!strings.Contains(text, "no such file") {
		t.Errorf("ready says %s", text)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return w.n.trail.Stats().Err == nil })
	status, text := w.health("/readyz")
	if status != http.StatusOK || strings.Contains(text, "audit heads") {
		t.Errorf("%d %s", status, text)
	}
	w.stop()
	if r := verified(t, AuditConfig{Data: w.cfg.Data, Heads: file}); !r.Whole() {
		t.Errorf("%+v", r.Proof)
	}
	w.cfg.AuditHeads = filepath.Join(w.cfg.Data, "heads")
	if err := refused(t, w.cfg); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a file beside the data: %v", err)
	}
}

// waitFor asks until it is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for tick := time.NewTicker(10 * time.Millisecond); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("waited for a minute")
		}
	}
}
