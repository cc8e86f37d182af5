package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/rootkey"
)

// TestRotateRoot goes over to another key in the same file, and crashes at each step: what
// a start finds it ends, or takes back; the old key opens nothing afterwards.
func TestRotateRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	data, check := w.cfg.Data, filepath.Join(dirStore, fileCheck)
	before := filepath.Join(t.TempDir(), "before")
	if err := os.CopyFS(before, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	oldKey, oldCheck := w.file(fileRootKey), w.file(check)
	w.start()
	made, err := w.cfg.Secrets.Make(t.Context(), rootkey.Source{
		Kind: rootkey.Key, Place: rootkey.File, Name: filepath.Join(data, fileRootKey)}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := RotateRoot(t.Context(), data, made); err != nil {
		t.Fatal(err)
	}
	if err := RotateRoot(t.Context(), data, made); fault.KindOf(err) != fault.Invalid {
		t.Errorf("the same key again: %v", err)
	}
	w.stop()
	newKey, newCheck := w.file(fileRootKey), w.file(check)
	if newKey == oldKey || strings.Contains(w.log.String(), strings.TrimSpace(newKey)) {
		t.Error("the key was not replaced, or is logged")
	}
	first, _, err := rootkey.ParseHeader([]byte(oldCheck))
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := rootkey.ParseHeader([]byte(newCheck))
	if err != nil {
		t.Fatal(err)
	}
	both := string(first.Encode(next))
	for name, c := range map[string]crash{
		"key written":     {before, oldKey, newKey, oldCheck, oldKey},
		"both noted":      {before, oldKey, newKey, both, oldKey},
		"committed":       {data, oldKey, newKey, both, newKey},
		"key in place":    {data, newKey, "", both, newKey},
		"all done":        {data, newKey, "", newCheck, newKey},
		"the old key":     {data, oldKey, "", newCheck, ""},
		"old, unfinished": {data, oldKey, "", both, ""},
	} {
		c.resume(t, name, w.cfg)
	}
}

// crash is a directory as a crash leaves it: a copy of dir with a key in its file, one
// beside it, and a header; after is the key that a start leaves, "" = none comes up.
type crash struct{ dir, key, next, check, after string }

func (c crash) resume(t *testing.T, name string, cfg Config) {
	t.Helper()
	check := filepath.Join(dirStore, fileCheck)
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		fileRootKey: c.key, fileRootKey + nextKey: c.next, check: c.check,
	} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Data = dir
	if c.after == "" {
		files := snapshot(t, dir)
		err := refused(t, cfg)
		if fault.KindOf(err) != fault.Invalid ||
			!strings.Contains(err.Error(), "was replaced") {
			t.Errorf("%s: %v", name, err)
		}
		same(t, files, snapshot(t, dir))
		return
	}
	for range 2 { // what the first start ended the second finds ended
		n, err := Start(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, fileRootKey))
	if err != nil || string(got) != c.after {
		t.Errorf("%s: another key stands in the file, %v", name, err)
	}
}
