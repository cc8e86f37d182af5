package soak

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestTrends: what grows is found, each by its own bound, and noise is not.
func TestTrends(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	rows := func(change func(i int, r *row)) []row {
		list := make([]row, 30)
		for i := range list {
			r := &list[i]
			r.quiet, r.age = i >= 10, grown
			r.resident = 100*mib + float64(rng.IntN(8*mib))
			r.heap = 20*mib + float64(rng.IntN(4*mib))
			r.files, r.goroutines = 50+float64(rng.IntN(5)), 120+float64(rng.IntN(20))
			r.disk = 200*mib + float64(rng.IntN(30*mib))
			change(i, r)
		}
		return list
	}
	for want, change := range map[string]func(int, *row){
		"":                func(int, *row) {},
		"resident memory": func(i int, r *row) { r.resident += float64(i) * 6 * mib },
		"heap":            func(i int, r *row) { r.heap += float64(i) * 4 * mib },
		"descriptors":     func(i int, r *row) { r.files += float64(2 * i) },
		"goroutines":      func(i int, r *row) { r.goroutines += float64(4 * i) },
		"disk use":        func(i int, r *row) { r.disk += float64(i) * 24 * mib },
	} {
		var found []string
		trends(rows(change), func(format string, args ...any) {
			found = append(found, fmt.Sprintf(format, args...))
		})
		if want == "" && len(found) > 0 ||
			want != "" && (len(found) != 1 || !strings.HasPrefix(found[0], want)) {
			t.Errorf("found %q, want %q", found, want)
		}
	}
	// One outlier, and growth before the quiet part, are no trend.
	trends(rows(func(i int, r *row) {
		if i < 10 {
			r.resident = float64(i) * 10 * mib
		}
		if i == 20 {
			r.resident, r.files = 1<<40, 1e6
		}
	}), t.Errorf)
}

// TestCounters: what became less is found, in one life only.
func TestCounters(t *testing.T) {
	t.Parallel()
	text := func(n int) string {
		return fmt.Sprintf("# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1 2\"} %d\n"+
			"# TYPE b gauge\nb %d\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} %d\nc_sum 1\n"+
			"c_count 3\n", n, n, n)
	}
	var c counters
	for i, step := range []struct{ life, value, less int }{
		{0, 5, 0}, {0, 5, 0}, {0, 4, 2}, {0, 4, 0}, {1, 1, 0}, {1, 0, 2},
	} {
		values, less := c.read(step.life, text(step.value))
		if len(less) != step.less || values["b"] != float64(step.value) {
			t.Errorf("step %d: less %q, values %v", i, less, values)
		}
	}
}

// TestWeather explains what a disturbance may cause, while it may, and nothing else.
func TestWeather(t *testing.T) {
	t.Parallel()
	var w weather
	reset, odd := errors.New("read: connection reset by peer"), errors.New("ACCESS_REFUSED")
	begun := time.Now()
	explained := func(err error, from time.Time) bool {
		_, ok := w.excused(err, from)
		return ok
	}
	if explained(reset, begun) {
		t.Error("explained by nothing")
	}
	end := w.begin(down)
	if !explained(reset, begun) || explained(odd, begun) || explained(errRefused, begun) {
		t.Error("while it is down")
	}
	end()
	defer w.begin(locked)()
	one := errors.New("broker.state b is locked\nclock\ncheck (serving): 1 errors, 4 warnings")
	two := errors.New("broker.state b is locked\nclock\ncheck (serving): 2 errors, 4 warnings")
	if !explained(errRefused, begun) || !explained(one, begun) || explained(two, begun) {
		t.Error("while it is locked")
	}
	unknown := errors.New("tls: failed to verify certificate: x509: " +
		"certificate signed by unknown authority")
	if explained(unknown, begun) {
		t.Error("while the authority stays")
	}
	w.begin(signer)()
	if !explained(unknown, begun) || explained(unknown, time.Now().Add(time.Second)) {
		t.Error("while another authority comes")
	}
	if !explained(reset, begun) {
		t.Error("of what began before the end")
	}
	if explained(reset, time.Now().Add(time.Second)) {
		t.Error("of what began after the end")
	}
}

// TestLogbook finds secrets and errors in lines, however they are cut.
func TestLogbook(t *testing.T) {
	t.Parallel()
	f := &findings{logf: t.Logf}
	l := &logbook{to: io.Discard, findings: f}
	l.secret("", "hidden")
	for _, piece := range []string{"level=INFO a\nlevel=INFO hid", "den\n",
		"level=INFO msg=\"client opened\" x=y\n", "level=ERROR", " b\n"} {
		if _, err := l.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	got := f.list()
	if l.count() != 3 || len(got) != 2 || strings.Contains(got[0], "hidden") ||
		!strings.Contains(got[1], "level=ERROR b") {
		t.Errorf("%d lines, found %q", l.count(), got)
	}
}

// TestFindings counts what differs in numbers only.
func TestFindings(t *testing.T) {
	t.Parallel()
	f := &findings{logf: t.Logf}
	for i := range 3 {
		f.addf("message %d is lost", i)
	}
	f.addf("message is late")
	want := []string{"message 0 is lost (3 times)", "message is late"}
	if got := f.list(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPlan: every step is in a plan of the length of a real run, none ends the process in
// its last third, and the seed alone decides.
func TestPlan(t *testing.T) {
	t.Parallel()
	made := func() plan { return newPlan(rand.New(rand.NewPCG(7, 7)), 120) }
	p := made()
	steps := map[string]int{}
	for i, w := range p {
		steps[string(w.key)]++
		steps[string(w.host)]++
		if w.quiet != (i >= 80) || w.quiet && (w.host == kill || w.host == restart) {
			t.Errorf("window %d: %+v", i, w)
		}
	}
	for _, name := range []string{
		string(none), string(denyKey), string(suspendBroker), string(suspendVolume),
		string(nothing), string(restart), string(kill), string(backup), string(verify),
		string(rotateRoot), string(createBroker), string(rotateKey), string(renew),
		string(rotateCA), string(doctor),
	} {
		if steps[name] == 0 {
			t.Errorf("no %q", name)
		}
	}
	if !slices.Equal(p, made()) {
		t.Error("the same seed makes another plan")
	}
}

// TestTimeline writes a row for each window, and a chart with a line for each panel.
func TestTimeline(t *testing.T) {
	t.Parallel()
	rows := []row{
		{number: 0, rate: 10, window: window{key: denyKey, host: kill}}, {number: 1, rate: 20},
	}
	count := disturbances(rows)
	if count[string(disableKey)] != 2 || count[string(denyKey)] != 1 || count[string(kill)] != 1 {
		t.Errorf("counted %v", count)
	}
	var csv, svg strings.Builder
	if err := errors.Join(writeCSV(&csv, rows), writeSVG(&svg, rows)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(csv.String(), "\n"); n != 3 || strings.Count(table(rows), "\n") != 4 {
		t.Errorf("timeline:\n%s%s", csv.String(), table(rows))
	}
	if strings.Count(svg.String(), "<polyline") != len(panels) ||
		strings.Count(svg.String(), string(kill)) != len(panels) {
		t.Errorf("chart: %s", svg.String())
	}
}

// TestUnsaid: a handshake that ended without a word is an end of the connection, which
// an end of the process explains; a password that the broker refuses is a finding.
func TestUnsaid(t *testing.T) {
	t.Parallel()
	var w weather
	start := time.Now()
	defer w.begin(down)()
	for _, guess := range []*amqp.Error{amqp.ErrCredentials, amqp.ErrVhost} {
		if _, ok := w.excused(unsaid(guess), start); !ok {
			t.Errorf("%v is not explained", guess)
		}
		said := *guess
		said.Server = true
		if _, ok := w.excused(unsaid(&said), start); ok {
			t.Errorf("what the broker said is explained: %v", guess)
		}
	}
}
