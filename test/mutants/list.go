package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mutant is one seeded fault.
type Mutant struct {
	Name string
	File string   // from the root of the module
	Test []string // arguments of go test
	Old  string   // lines of File, there exactly once
	New  string   // what stands there instead
}

// Load reads the list. A line "== name" begins a fault, "file" and "test" lines
// follow, then lines with "-" that are replaced by those with "+". Other lines
// that are not empty begin with "#".
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
		if m := &list[i]; m.File == "" || len(m.Test) == 0 || m.Old == "" {
			return nil, fmt.Errorf("%q has no file, no test or no lines", m.Name)
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
	switch {
	case line[0] == '-':
		m.Old += line[1:] + "\n"
	case line[0] == '+':
		m.New += line[1:] + "\n"
	case word == "file":
		m.File = rest
	case word == "test":
		m.Test = strings.Fields(rest)
	default:
		return fmt.Errorf("unknown line %q", line)
	}
	return nil
}

// Named gives the faults whose name contains part.
func Named(list []Mutant, part string) (named []Mutant) {
	for _, m := range list {
		if strings.Contains(m.Name, part) {
			named = append(named, m)
		}
	}
	return named
}

// Apply gives the text of the file with the fault in it.
func (m *Mutant) Apply(text []byte) ([]byte, error) {
	if n := bytes.Count(text, []byte(m.Old)); n != 1 {
		return nil, fmt.Errorf("%s has the lines %d times", m.File, n)
	}
	return bytes.Replace(text, []byte(m.Old), []byte(m.New), 1), nil
}
