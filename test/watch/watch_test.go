// Package watch holds what is given to operators for watching, a dashboard of Grafana and
// alerts of Prometheus, against what the built binary shows, and lets Prometheus's own
// tool try the alerts. It does not run Grafana.
package watch

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"coffer/test/process"
	"coffer/test/story/kit"
)

const (
	rulesFile     = "../../deploy/prometheus/alerts.yml"
	rulesTestFile = "../../deploy/prometheus/alerts_test.yml"
	dashboardFile = "../../deploy/grafana/coffer.json"
	pageFile      = "../../doc/operate/watch.md"
)

// named finds the names of metrics in an expression.
var named = regexp.MustCompile(`\b(?:coffer|process|go)_[a-z_]+`)

// shown plays so much that every metric is there, and gives the names of all series.
func shown(t *testing.T) map[string]bool {
	t.Helper()
	s := kit.Start(t, kit.Config{Binary: binary,
		Args: []string{"--traces", "http://127.0.0.1:1", "--traces-ratio", "1"}})
	kit.CreateKey(t, s.AWS())
	conn := s.Dial(s.Main())
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclarePassive("none", true, false, false, false, nil); err == nil {
		t.Error("a queue that is not there was found")
	}
	text, err := os.ReadFile(filepath.Join(s.Data(), "endpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ports struct{ API, Metrics int }
	if err := json.Unmarshal(text, &ports); err != nil {
		t.Fatal(err)
	}
	stranger := &tls.Config{ServerName: "localhost"}
	if _, err = tls.Dial("tcp", fmt.Sprintf("localhost:%d", ports.API), stranger); err == nil {
		t.Error("a stranger's certificate was trusted")
	}
	names := map[string]bool{}
	kit.Wait(t, "the handshake that failed", func() bool {
		scrape(t, ports.Metrics, names)
		return names["coffer_connection_failures_total"]
	})
	return names
}

func scrape(t *testing.T, port int, names map[string]bool) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, _, ok := strings.Cut(lines.Text(), " "); ok && name != "#" {
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
}

// binary is what all tests run.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "coffer-watch-*")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = process.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// rule is an alert.
type rule struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func read(t *testing.T, file string, parse func([]byte, any) error, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = parse(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func parseYAML(text []byte, into any) error { return yaml.Unmarshal(text, into) }

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	read(t, rulesFile, parseYAML, &file)
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatal("no rules")
	}
	return file.Groups[0].Rules
}

// TestMetricsExist: every metric that an alert or a panel asks for is shown.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	names := shown(t)
	check := func(where, expr string) {
		list := named.FindAllString(expr, -1)
		if len(list) == 0 && !strings.Contains(expr, "up{") {
			t.Errorf("%s asks for nothing of ours: %s", where, expr)
		}
		for _, name := range list {
			if !names[name] {
				t.Errorf("%s asks for %s, which is not shown", where, name)
			}
		}
	}
	for _, r := range rules(t) {
		check(r.Alert, r.Expr)
	}
	for _, p := range dashboard(t).Panels {
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
}

// TestAlerts: each alert has a severity and a text, a section of the page for operators,
// and a test in which it fires and one in which it does not.
func TestAlerts(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Tests []struct {
				Name string `yaml:"alertname"`
				Fire []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	read(t, rulesTestFile, parseYAML, &file)
	type looks struct{ fires, quiet bool }
	tried := map[string]looks{}
	for _, list := range file.Tests {
		for _, one := range list.Tests {
			l := tried[one.Name]
			tried[one.Name] = looks{l.fires || len(one.Fire) > 0, l.quiet || len(one.Fire) == 0}
		}
	}
	for _, r := range rules(t) {
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("%s says nothing", r.Alert)
		}
		if l := tried[r.Alert]; !l.fires || !l.quiet {
			t.Errorf("%s is tried: %+v", r.Alert, l)
		}
		if !strings.Contains(string(page), "| `"+r.Alert+"` |") {
			t.Errorf("%s does not say what to do about %s", pageFile, r.Alert)
		}
	}
}

// TestPromtool lets Prometheus parse all expressions and play the tests of the alerts.
func TestPromtool(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed (Debian: prometheus), so that no alert is tried")
	}
	run := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	run("check", "rules", rulesFile)
	run("test", "rules", rulesTestFile)
	fill := strings.NewReplacer("$__rate_interval", "5m", "$job", "coffer", "$instance", ".*")
	type recording struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var list []recording
	for _, p := range dashboard(t).Panels {
		for _, target := range p.Targets {
			name := fmt.Sprintf("panel:%d:%s", p.ID, strings.ToLower(target.RefID))
			list = append(list, recording{name, fill.Replace(target.Expr)})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{
		map[string]any{"name": "panels", "rules": list}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("check", "rules", file)
}
