package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is one seeded fault. It has more than one change where a rule is kept
// in several places.
type Mutant struct {
	Name    string
	Test    []string // arguments of go test
	Changes []Change
}

// Change is of one place. A file may have several, none inside another.
type Change struct {
	File string // from the root of the module
	Old  string // lines of File, there exactly once
	New  string // what stands there instead
}

// Load reads the list. A line "== name" begins a fault, then come its "test" line
// and its changes: a "file" line each and lines with "-" that are replaced by those
// with "+". Other lines that are not empty begin with "#".
func Load(dir string) ([]Mutant, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var list []Mutant
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if err := read(&list, line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
		}
	}
	for i := range list {
		m := &list[i]
		if len(m.Test) == 0 || len(m.Changes) == 0 || slices.ContainsFunc(m.Changes, Change.empty) {
			return nil, fmt.Errorf("%q has no test, no file or no lines", m.Name)
		}
	}
	return list, nil
}

func read(list *[]Mutant, line string) error {
	if name, ok := strings.CutPrefix(line, "== "); ok {
		*list = append(*list, Mutant{Name: name})
		return nil
	}
	if line == "" || line[0] == '#' {
		return nil
	}
	if len(*list) == 0 {
		return fmt.Errorf("%q stands before the first name", line)
	}
	m := &(*list)[len(*list)-1]
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "file":
		m.Changes = append(m.Changes, Change{File: rest})
		return nil
	case "test":
		m.Test = strings.Fields(rest)
		return nil
	}
	if len(m.Changes) == 0 || line[0] != '-' && line[0] != '+' {
		return fmt.Errorf("unknown line %q", line)
	}
	if c := &m.Changes[len(m.Changes)-1]; line[0] == '-' {
		c.Old += line[1:] + "\n"
	} else {
		c.New += line[1:] + "\n"
	}
	return nil
}

func (c Change) empty() bool { return c.File == "" || c.Old == "" }

// Named gives the faults whose name contains part.
func Named(list []Mutant, part string) (named []Mutant) {
	for _, m := range list {
		if strings.Contains(m.Name, part) {
			named = append(named, m)
		}
	}
	return named
}

// Apply gives the texts of the files with the fault in them, by their names; it
// reads them in root.
func (m *Mutant) Apply(root string) (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, c := range m.Changes {
		text, ok := texts[c.File]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(root, c.File)); err != nil {
				return nil, err
			}
		}
		if n := bytes.Count(text, []byte(c.Old)); n != 1 {
			return nil, fmt.Errorf("%s has the lines %d times", c.File, n)
		}
		texts[c.File] = bytes.Replace(text, []byte(c.Old), []byte(c.New), 1)
	}
	return texts, nil
}
