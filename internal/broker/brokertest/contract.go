package brokertest

import (
	"embed"
	"io/fs"
	"strings"
	"testing"

	"coffer/internal/broker"
)

// A Contract is one promise of the core and the script that shows it: one
// command per line, and after "=>" what it answers; see player.do for the
// commands.
type Contract struct {
	Name   string
	Config broker.Config
	Script string
}

// scripts holds the contracts. A line "== name" begins one; "[tiny]" behind the
// name makes its windows so small that all but a few messages leave memory.
//
//go:embed testdata/*.txt
var scripts embed.FS

// Run plays every contract, each on a fresh engine.
func Run(t *testing.T, open func(testing.TB) Subject) {
	contracts, err := Contracts()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contracts {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			play(t, open(t), c.Config, c.Script)
		})
	}
}

// Tiny makes windows of a few messages.
func Tiny() broker.Config {
	return broker.Config{WindowBytes: 8 << 10, QueueBytes: 4 << 10, PageBytes: 2 << 10, MaxDedup: 4}
}

// Contracts lists every promise.
func Contracts() ([]Contract, error) {
	names, err := fs.Glob(scripts, "testdata/*.txt")
	if err != nil {
		return nil, err
	}
	var all []Contract
	for _, name := range names {
		text, err := scripts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for part := range strings.SplitSeq(string(text), "== ") {
			title, script, ok := strings.Cut(part, "\n")
			if !ok || title == "" {
				continue
			}
			c := Contract{Name: title, Script: script}
			if short, small := strings.CutSuffix(title, " [tiny]"); small {
				c.Name, c.Config = short, Tiny()
			}
			all = append(all, c)
		}
	}
	return all, nil
}
