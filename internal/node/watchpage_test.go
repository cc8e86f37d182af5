package node

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of metrics anew")

// watchPage is the page for operators that has a table of all metrics between two marks.
const (
	watchPage = "../../doc/operate/watch.md"
	firstMark = "<!-- metrics -->\n"
	lastMark  = "<!-- end of metrics -->\n"
)

// family is a metric as it is shown.
type family struct {
	help, kind string
	labels     []string          // but le
	values     map[string]string // by the whole series, without buckets
}

// families are the metrics of a scrape, by name.
type families map[string]*family

// scrape reads what the process shows of Coffer.
func (w *world) coffers() families {
	w.t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + strconv.Itoa(w.endpoints().Metrics) + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("scrape: %d, %v", resp.StatusCode, err)
	}
	all, f := families{}, &family{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			f = &family{help: help, values: map[string]string{}}
			all[name] = f
		} else if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			_, f.kind, _ = strings.Cut(rest, " ")
		} else if i := strings.LastIndexByte(line, ' '); !strings.Contains(line, "_bucket{") {
			f.values[line[:i]] = line[i+1:]
			_, labels, _ := strings.Cut(line[:i], "{")
			f.label(strings.TrimSuffix(labels, "}"))
		}
	}
	maps.DeleteFunc(all, func(name string, _ *family) bool {
		return !strings.HasPrefix(name, "coffer_")
	})
	return all
}

// label notes the labels of a series. No value of Coffer's has a quote in it.
func (f *family) label(text string) {
	for _, pair := range strings.Split(text, `",`) {
		name, _, ok := strings.Cut(pair, "=")
		if ok && !slices.Contains(f.labels, name) {
			f.labels = append(f.labels, name)
		}
	}
}

// unit is what a metric is counted in, by its name.
func unit(name string) string {
	name = strings.TrimSuffix(name, "_total")
	for _, u := range [][2]string{
		{"_timestamp_seconds", "Unix time"}, {"_seconds", "seconds"}, {"_bytes", "bytes"},
	} {
		if strings.HasSuffix(name, u[0]) {
			return u[1]
		}
	}
	return ""
}

// table writes the table of the page.
func (all families) table() string {
	var b strings.Builder
	b.WriteString("| metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		labels := ""
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, f.kind, unit(name), labels, f.help)
	}
	return b.String()
}

// checkPage holds the page against what the process shows.
func (all families) checkPage(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile(watchPage)
	must(t, err)
	before, rest, ok := strings.Cut(string(page), firstMark)
	table, after, ok2 := strings.Cut(rest, lastMark)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of metrics", watchPage)
	}
	want := all.table()
	if *update {
		text := before + firstMark + want + lastMark + after
		must(t, os.WriteFile(watchPage, []byte(text), 0o644))
		return
	}
	lines := strings.Split(want, "\n")
	for _, line := range lines {
		if !strings.Contains(table, line+"\n") && line != "" {
			t.Errorf("%s lacks\n%s", watchPage, line)
		}
	}
	for line := range strings.Lines(table) {
		if !slices.Contains(lines, strings.TrimSuffix(line, "\n")) {
			t.Errorf("%s has what is not so:\n%s", watchPage, line)
		}
	}
}
