package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestApplies: every seeded fault still finds its lines, so that a change of the
// code does not silently leave a rule without its proof.
func TestApplies(t *testing.T) {
	t.Parallel()
	list, err := Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i := range list {
		m := &list[i]
		if names[m.Name] {
			t.Errorf("two faults are named %q", m.Name)
		}
		names[m.Name] = true
		if _, err := m.Apply(filepath.Join("..", "..")); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	if len(list) < 20 {
		t.Errorf("only %d faults", len(list))
	}
}

func TestBadLists(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"file a\n", "== a\nwhat b\n", "== a\n-1\nfile x\n",
		"== a\nfile x\n-1\n", "== a\nfile x\ntest y\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if list, err := Load(dir); err == nil {
			t.Errorf("%q gives %+v", text, list)
		}
	}
	dir := t.TempDir()
	m := Mutant{Changes: []Change{{"f", "a\n", "b\n"}, {"f", "c\n", ""}}}
	for _, text := range []string{"", "a\n", "a\na\nc\n", "c\n"} {
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := m.Apply(dir); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}
