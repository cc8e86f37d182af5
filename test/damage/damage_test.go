// Package damage damages each file of a data directory in each way that a disk or
// an operator may, and asks what `coffer check` and a start say. A start refuses
// and names the file, or serves every message that was confirmed, or tells the
// client; nothing wrong is served, and nothing goes in silence.
package damage

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"coffer/internal/node"
)

// harm is one way to damage a file; nil removes it.
type harm struct {
	name string
	do   func(text string) *string
}

func flip(text string, at int) *string {
	b := []byte(text)
	b[at] ^= 1
	s := string(b)
	return &s
}

// harms gives the ways for a file of this size: quick ones, or those at every
// step of the file.
func harms(size int, full bool) []harm {
	cut := func(n int) func(string) *string {
		return func(s string) *string { s = s[:n]; return &s }
	}
	list := []harm{{"removed", func(string) *string { return nil }}}
	if size == 0 {
		return list
	}
	list = append(list, harm{"emptied", cut(0)}, harm{"cut in half", cut(size / 2)},
		harm{"cut by one", cut(size - 1)})
	places := []int{0, size / 2, size - 1}
	if full {
		for n := range 40 {
			places = append(places, n*size/40)
		}
		for n := range min(size, 64) {
			places = append(places, n, size-1-n)
		}
	}
	slices.Sort(places)
	for _, at := range slices.Compact(places) {
		list = append(list, harm{fmt.Sprintf("flipped at %d", at), func(s string) *string {
			return flip(s, at)
		}})
	}
	return list
}

// outcome is what became of a damaged directory.
type outcome struct{ check, start, log string }

// try damages one file and asks.
func (w *world) try(t *testing.T, whole map[string]string, name string, text *string) outcome {
	t.Helper()
	files := maps.Clone(whole)
	if delete(files, name); text != nil {
		files[name] = *text
	}
	dir := filepath.Join(t.TempDir(), "data")
	plant(t, dir, files)
	defer os.RemoveAll(dir)
	var o outcome
	report, err := node.Check(context.Background(), w.config(dir))
	switch {
	case err != nil:
		o.check = "error: " + err.Error()
	case len(report.Damage) == 0 && !report.Sealed:
		o.check = "not opened: " + report.Unopened
	case len(report.Damage) == 0:
		o.check = "whole"
	default:
		o.check = "damaged: " + report.Damage[0].File + " " + report.Damage[0].Problem
	}
	after := tree(t, dir)
	if !maps.Equal(files, after) {
		t.Errorf("%s: the check changed the directory", name)
	}
	var log bytes.Buffer
	cfg := w.config(dir)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := node.Start(context.Background(), cfg)
	if err != nil {
		o.start = "refused: " + err.Error()
		return o
	}
	told, silent := w.drain(dir)
	switch {
	case silent != "":
		o.start = "SILENT: " + silent
	case told != nil:
		o.start = "told: " + told.Error()
	default:
		o.start = "served"
	}
	if err := p.Stop(context.Background()); err != nil && told == nil {
		o.start += ", stop: " + err.Error()
	}
	o.log = log.String()
	return o
}

// secrets are the files that a start serves without, but tells of.
func secrets() []string { return []string{"credentials", "main-admin", "ROOTCHECK"} }

// judge fails for what must not be.
func judge(t *testing.T, name, how string, o outcome) {
	t.Helper()
	base := filepath.Base(name)
	if strings.HasPrefix(o.start, "SILENT") {
		t.Errorf("%s %s: %s (check: %s)", name, how, o.start, o.check)
	}
	// A list of tables or a log that is gone shows in the folder; what is there and
	// damaged is named.
	named := strings.Contains(o.start, base) || strings.Contains(o.start, "store/data") ||
		strings.Contains(o.start, filepath.Dir(name))
	if strings.HasPrefix(o.start, "refused") && !named {
		t.Errorf("%s %s: refused without its name: %s", name, how, o.start)
	}
	if !strings.HasPrefix(o.start, "served") && o.check == "whole" {
		t.Errorf("%s %s: a start says %s, the check nothing", name, how, o.start)
	}
	if o.start == "served" && slices.Contains(secrets(), base) && !strings.Contains(o.log, base) {
		t.Errorf("%s %s: served, and the log does not name it: %q", name, how, o.log)
	}
}

// brief tells which files are left out of the quick matrix of a killed process:
// those that are as after a stop, and Pebble's list of tables before the last.
func brief(name string, whole map[string]string) bool {
	dir, base := filepath.Split(name)
	if strings.HasPrefix(base, "MANIFEST") {
		for other := range whole {
			if strings.HasPrefix(other, dir+"MANIFEST") && other > name {
				return true
			}
		}
		return false
	}
	return base != "FLOOR" && !strings.HasSuffix(base, ".log") && !strings.HasSuffix(base, ".sst")
}

// TestMatrix is the quick matrix; with COFFER_DAMAGE far more octets are flipped,
// of the files whose names contain its value ("/" for most, "all" for all).
func TestMatrix(t *testing.T) {
	t.Parallel()
	much := os.Getenv("COFFER_DAMAGE")
	w := &world{t: t}
	w.cert, w.key = pair(t)
	dir := filepath.Join(t.TempDir(), "data")
	w.fill(dir, 100, nil)
	var killed, earlier map[string]string
	w.fill(dir, 100, nil)
	earlier = tree(t, dir)
	w.fill(dir, 100, func() { killed = tree(t, dir) })
	stopped := tree(t, dir)
	var mu sync.Mutex
	table := map[string]int{}
	var wg sync.WaitGroup
	turn := make(chan struct{}, 2)
	run := func(state string, whole map[string]string, name, how string, text *string) {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			o := w.try(t, whole, name, text)
			judge(t, name, how+" after a "+state, o)
			kind, _, _ := strings.Cut(how, " at ")
			check, _, _ := strings.Cut(o.check, ":")
			start, _, _ := strings.Cut(o.start, ":")
			mu.Lock()
			defer mu.Unlock()
			table[fmt.Sprintf("%-10s %-45s %-12s check %-8s start %s",
				state, name, kind, check, start)]++
			if much != "" {
				t.Logf("%s %s %s: check %q start %q", state, name, how, o.check, o.start)
			}
		})
	}
	if o := w.try(t, stopped, "none", nil); o != (outcome{"whole", "served", ""}) {
		t.Fatalf("without damage: %+v", o)
	}
	for state, whole := range map[string]map[string]string{"stop": stopped, "kill": killed} {
		for _, name := range slices.Sorted(maps.Keys(whole)) {
			if base := filepath.Base(name); base == "LOCK" || base == "RESERVE" {
				continue // without content
			}
			full := much == "all" || much != "" && strings.Contains(name, much)
			if much != "" && !full || much == "" && state == "kill" && brief(name, whole) {
				continue
			}
			for _, h := range harms(len(whole[name]), full) {
				run(state, whole, name, h.name, h.do(whole[name]))
			}
			if old, ok := earlier[name]; ok && old != whole[name] {
				run(state, whole, name, "old copy", &old)
			}
		}
	}
	wg.Wait()
	for _, line := range slices.Sorted(maps.Keys(table)) {
		t.Logf("%s (%d)", line, table[line])
	}
}
