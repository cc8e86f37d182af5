package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ask plays a request from a peer for a host.
func ask(h http.Handler, method, path, peer, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr, r.Host = peer, host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// near asks from this machine.
func near(h http.Handler, path string) *httptest.ResponseRecorder {
	return ask(h, http.MethodGet, path, "127.0.0.1:1000", "127.0.0.1:9566")
}

// TestMetrics shows every kind of metric with its labels.
func TestMetrics(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	r.Counter("coffer_a_total", "A.").Add(3)
	r.Counters("coffer_b_total", "B.", "x", "y").With("1", "2").Inc()
	r.Gauge("coffer_c", "C.").Set(1.5)
	gauges := r.Gauges("coffer_d", "D.", "x")
	gauges.With("kept").Add(-2)
	gauges.With("gone").Set(1)
	gauges.Forget("gone")
	looks := 0
	Sample(r, func() int { looks++; return looks }, []Sampled[int]{
		{Name: "coffer_e", Help: "E.", Of: func(n int) float64 { return float64(n) }},
		{Name: "coffer_h_total", Help: "H.", Labels: []string{"x"},
			Each: func(n int, show func(float64, ...string)) {
				show(float64(n), "1")
				show(float64(2*n), "2")
			}},
	}...)
	crowd := r.Crowd("coffer_i_seconds", "I.")
	crowd.Observe(60e-6, 3)
	crowd.Observe(100, 2)
	r.Histogram("coffer_f_seconds", "F.", nil).Observe(60e-6)
	r.Histograms("coffer_g_bytes", "G.", []float64{10, 20}, "x").With("1").Observe(15)
	w := near(Handler(r, Health{}, nil), "/metrics")
	for _, want := range []string{
		"coffer_a_total 3\n", `coffer_b_total{x="1",y="2"} 1` + "\n", "coffer_c 1.5\n",
		`coffer_d{x="kept"} -2` + "\n", "coffer_e 1\n", "# HELP coffer_e E.\n",
		"# TYPE coffer_e gauge\n", "# TYPE coffer_h_total counter\n",
		`coffer_h_total{x="1"} 1` + "\n", `coffer_h_total{x="2"} 2` + "\n",
		`coffer_i_seconds_bucket{le="5e-05"} 0` + "\n",
		`coffer_i_seconds_bucket{le="0.0001"} 3` + "\n",
		"coffer_i_seconds_sum 200.00018\n", "coffer_i_seconds_count 5\n",
		`coffer_f_seconds_bucket{le="5e-05"} 0` + "\n",
		`coffer_f_seconds_bucket{le="0.0001"} 1` + "\n",
		`coffer_g_bytes_bucket{x="1",le="20"} 1` + "\n", "go_goroutines ",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q in\n%s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "gone") {
		t.Error("a forgotten gauge is shown")
	}
}

// TestNilRegistry counts without showing, twice under the same name.
func TestNilRegistry(t *testing.T) {
	t.Parallel()
	var r *Registry
	for range 2 {
		r.Counter("coffer_a_total", "A.").Inc()
		r.Crowd("coffer_i_seconds", "I.").Observe(1, 1)
		Sample(r, func() int { return 1 }, Sampled[int]{Name: "coffer_e", Help: "E."})
	}
}

// TestTaken panics for a name that is taken.
func TestTaken(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	r.Gauge("coffer_c", "C.")
	defer func() {
		if recover() == nil {
			t.Error("registered twice")
		}
	}()
	r.Gauge("coffer_c", "C.")
}

// TestHealth answers 200 while all is well, and else 503 with the reason.
func TestHealth(t *testing.T) {
	t.Parallel()
	var trouble error
	h := Handler(NewRegistry(), Health{
		Live: map[string]Check{"store": func(context.Context) error { return nil }},
		Ready: map[string]Check{
			"store": func(context.Context) error { return trouble },
			"clock": func(ctx context.Context) error {
				if end, ok := ctx.Deadline(); !ok || time.Until(end) > checkTimeout {
					return errors.New("no deadline")
				}
				return nil
			},
		},
	}, nil)
	if w := near(h, "/healthz"); w.Code != 200 || w.Body.String() != "store: ok\nok\n" {
		t.Errorf("healthz: %d %q", w.Code, w.Body)
	}
	if w := near(h, "/readyz"); w.Code != 200 || w.Body.String() != "clock: ok\nstore: ok\nok\n" {
		t.Errorf("readyz: %d %q", w.Code, w.Body)
	}
	trouble = errors.New("starting")
	if w := near(h, "/readyz"); w.Code != 503 || w.Body.String() != "clock: ok\nstore: starting\n" {
		t.Errorf("readyz: %d %q", w.Code, w.Body)
	}
	if w := near(h, "/healthz"); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := ask(h, http.MethodPost, "/readyz", "[::1]:1", "localhost"); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	if w := near(h, "/other"); w.Code != 404 {
		t.Errorf("other: %d", w.Code)
	}
}

// TestShown: a warning is told and changes no answer.
func TestShown(t *testing.T) {
	t.Parallel()
	var trouble error
	h := Handler(NewRegistry(), Health{
		Ready: map[string]Check{"store": func(context.Context) error { return nil }},
		Shown: map[string]Check{"disk": func(context.Context) error { return trouble }},
	}, nil)
	if w := near(h, "/readyz"); w.Code != 200 || w.Body.String() != "store: ok\nok\n" {
		t.Errorf("readyz: %d %q", w.Code, w.Body)
	}
	trouble = errors.New("full")
	want := "store: ok\ndisk: warning: full\nok\n"
	if w := near(h, "/readyz"); w.Code != 200 || w.Body.String() != want {
		t.Errorf("readyz: %d %q", w.Code, w.Body)
	}
	if w := near(h, "/healthz"); w.Code != 200 || w.Body.String() != "disk: warning: full\nok\n" {
		t.Errorf("healthz: %d %q", w.Code, w.Body)
	}
}

// TestHealthJSON: programs get the same as JSON.
func TestHealthJSON(t *testing.T) {
	t.Parallel()
	h := Handler(NewRegistry(), Health{
		Ready: map[string]Check{
			"brokers": func(context.Context) error { return errors.New("starting") },
			"store":   func(context.Context) error { return nil },
		},
		Shown: map[string]Check{"disk": func(context.Context) error { return errors.New("full") }},
	}, nil)
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/readyz": {503, `{"well":false,"checks":[` +
			`{"check":"brokers","state":"failed","reason":"starting"},` +
			`{"check":"store","state":"ok"},` +
			`{"check":"disk","state":"warning","reason":"full"}]}`},
		"/healthz": {200, `{"well":true,"checks":[` +
			`{"check":"disk","state":"warning","reason":"full"}]}`},
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want.code || w.Body.String() != want.text ||
			w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestLocal answers this machine only.
func TestLocal(t *testing.T) {
	t.Parallel()
	h := Handler(NewRegistry(), Health{}, nil)
	for _, c := range []struct {
		peer, host string
		want       int
	}{
		{"127.0.0.1:1", "localhost:9566", 200},
		{"[::1]:1", "[::1]:9566", 200},
		{"[::ffff:127.0.0.1]:1", "127.0.0.1", 200},
		{"127.0.0.1:1", "localhost", 200},
		{"[::1]:1", "[::1]", 200},
		{"192.0.2.1:1", "localhost:9566", 403},
		{"127.0.0.1:1", "evil.example:9566", 403},
		{"127.0.0.1:1", "192.0.2.1:9566", 403},
		{"127.0.0.1:1", "", 403},
		{"", "localhost", 403},
	} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
			if w := ask(h, http.MethodGet, path, c.peer, c.host); w.Code != c.want {
				t.Errorf("%s from %q for %q: %d, want %d", path, c.peer, c.host, w.Code, c.want)
			}
		}
	}
}

// TestMore: other handlers are for this machine only, too.
func TestMore(t *testing.T) {
	t.Parallel()
	h := Handler(NewRegistry(), Health{}, map[string]http.Handler{
		"/more/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(r.URL.Path))
		}),
	})
	if w := near(h, "/more/of/it"); w.Code != 200 || w.Body.String() != "/more/of/it" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask(h, http.MethodGet, "/more/", "192.0.2.1:1", "localhost"); w.Code != 403 {
		t.Errorf("from afar: %d", w.Code)
	}
}
