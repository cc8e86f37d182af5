package tidy

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTidy checks this repository.
func TestTidy(t *testing.T) {
	findings, err := check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

// TestSeeds plants each fault alone and requires exactly its finding.
func TestSeeds(t *testing.T) {
	for name, s := range seeds {
		tree := fstest.MapFS{s.name: {Data: []byte(s.text)}}
		findings, err := check(tree)
		if err != nil {
			t.Fatal(err)
		}
		if s.want == "" {
			if len(findings) != 0 {
				t.Errorf("%s: %q", name, findings)
			}
			continue
		}
		if len(findings) != 1 || !strings.Contains(findings[0], s.want) {
			t.Errorf("%s: %q, want %q", name, findings, s.want)
		}
	}
}

// TestModules checks the tools, which are modules of their own: they may use
// what they like, but not this module.
func TestModules(t *testing.T) {
	const tool = "internal/tools/awsgen"
	tree := fstest.MapFS{
		tool + "/go.mod":        {Data: []byte("module awsgen\n")},
		tool + "/a.go":          {Data: []byte(file("main", "", "awsgen/model"))},
		tool + "/model/a.go":    {Data: []byte(file("model", "", "coffer/internal/arn"))},
		"test/compat/go.mod":    {Data: []byte("module compat\n")},
		"test/compat/a_test.go": {Data: []byte(file("compat", "", "coffer/internal/arn"))},
	}
	findings, err := check(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 1 || !strings.Contains(findings[0], "module awsgen may not import") {
		t.Errorf("%q", findings)
	}
	tree[tool+"/go.mod"].Data = []byte("go 1.26\n")
	if _, err := check(tree); err == nil {
		t.Error("a go.mod without module line was read")
	}
}
