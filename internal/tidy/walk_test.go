package tidy

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// module is the import path of the root.
const module = "coffer"

var moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+)`)

// A source is one Go file and what its place says about it.
type source struct {
	name   string // slash-separated, from the root
	module string // the nearest go.mod's
	text   []byte
}

// dir is the folder of the file.
func (s *source) dir() string { return path.Dir(s.name) }

// test reports whether the file is built for tests only.
func (s *source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// check gives the findings in a tree, sorted.
func check(tree fs.FS) ([]string, error) {
	sources, err := collect(tree)
	if err != nil {
		return nil, err
	}
	results := make([]*report, len(sources))
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				results[i] = examine(sources[i])
			}
		})
	}
	for i := range sources {
		next <- i
	}
	close(next)
	workers.Wait()
	findings := comments(results)
	for _, r := range results {
		findings = append(findings, r.findings...)
	}
	slices.Sort(findings)
	return findings, nil
}

// collect reads every Go file that the go tool would consider.
func collect(tree fs.FS) ([]*source, error) {
	modules := map[string]string{".": module}
	var sources []*source
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(tree, name, modules)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		s := &source{name: name, module: modules[path.Dir(name)], text: text}
		sources = append(sources, s)
		return nil
	})
	return sources, err
}

// enter skips folders that hold no packages and notes a folder's module: its
// own go.mod's, or else that of the folder above.
func enter(tree fs.FS, dir string, modules map[string]string) error {
	base := path.Base(dir)
	hidden := base == "testdata" || base == "vendor" || strings.ContainsAny(base[:1], "._")
	if hidden && dir != "." {
		return fs.SkipDir
	}
	modules[dir] = modules[path.Dir(dir)]
	text, err := fs.ReadFile(tree, path.Join(dir, "go.mod"))
	if err != nil {
		return nil // no go.mod: the package belongs to the module above
	}
	m := moduleLine.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s/go.mod: no module line", dir)
	}
	modules[dir] = string(m[1])
	return nil
}

// comments finds the packages without a package comment. A test file's comment
// counts only where there is nothing but tests.
func comments(results []*report) []string {
	documented, tested := map[string]bool{}, map[string]bool{}
	for _, r := range results {
		dir := r.source.dir()
		if r.source.test() {
			tested[dir] = tested[dir] || r.documented
		} else {
			documented[dir] = documented[dir] || r.documented
		}
	}
	for dir, ok := range tested {
		if _, code := documented[dir]; !code {
			documented[dir] = ok
		}
	}
	var findings []string
	for dir, ok := range documented {
		if !ok {
			findings = append(findings, dir+": no package comment")
		}
	}
	return findings
}
