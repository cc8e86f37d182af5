package management

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With -update the answers of the scripts are written anew.
var update = flag.Bool("update", false, "write the answers of testdata anew")

// masked are fields whose values differ from run to run.
const masked = " password_hash uptime connected_at os_pid idle_since "

// TestScripts plays testdata/*.txt: a line is a user (- for none), a method, a path and
// a body; the answer stands below it, indented. With -update they are written.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	must(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			must(t, err)
			got := newWorld(t).play(string(want))
			if *update {
				must(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("line %d of %s:\ngot  %s\nwant %s", i+1, file, b[i], a[i])
				}
			}
			if len(a) != len(b) {
				t.Errorf("%s has %d lines, not %d", file, len(a), len(b))
			}
		})
	}
}

// play gives the script with its answers.
func (w *world) play(script string) string {
	w.t.Helper()
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " ", 4)
		body := ""
		if len(parts) == 4 {
			body = parts[3]
		}
		if parts[0] == "-" {
			parts[0] = ""
		}
		rec := w.ask(parts[0], parts[1], parts[2], body)
		fmt.Fprintf(&out, "  %d%s\n", rec.Code, location(rec.Header().Get("Location")))
		text := rec.Body.Bytes()
		for _, l := range shown(text) {
			fmt.Fprintln(&out, "  "+l)
		}
	}
	return out.String()
}

func location(path string) string {
	if path == "" {
		return ""
	}
	return " " + path
}

// shown gives the lines for an answer: one for each item of a list.
func shown(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	mask(v)
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return []string{compact(v)}
	}
	var lines []string
	for _, item := range list {
		lines = append(lines, compact(item))
	}
	return lines
}

func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// mask hides what differs from run to run.
func mask(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if strings.Contains(masked, " "+k+" ") {
				v[k] = "*"
			}
			mask(x)
		}
	case []any:
		for _, x := range v {
			mask(x)
		}
	}
}
