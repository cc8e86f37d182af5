package trace

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"coffer/internal/fault"
	"coffer/internal/telemetry"
)

// longEnough bounds the wait for an event under any load.
const longEnough = 2 * time.Minute

// collector takes spans as a real one does.
type collector struct {
	t     *testing.T
	spans chan *tracepb.ResourceSpans
	// answer is called for each request, before it is answered.
	answer func(w http.ResponseWriter, r *http.Request)
}

func newCollector(t *testing.T) *collector {
	return &collector{t: t, spans: make(chan *tracepb.ResourceSpans, 1<<16)}
}

// ServeHTTP decodes what it gets, to the last byte.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.answer != nil {
		c.answer(w, r)
	}
	body, err := io.ReadAll(r.Body)
	data := &tracepb.TracesData{}
	if err == nil {
		err = proto.UnmarshalOptions{}.Unmarshal(body, data)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost ||
		r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("got %s %s, %v, %v", r.Method, r.URL, r.Header, err)
	}
	for _, s := range data.ResourceSpans {
		c.spans <- s
	}
}

// next gives the spans of one upload.
func (c *collector) next() *tracepb.ResourceSpans {
	c.t.Helper()
	select {
	case s := <-c.spans:
		return s
	case <-time.After(longEnough):
		c.t.Fatal("no spans come")
		return nil
	}
}

// tracer sends to a collector until the end of the test.
func tracer(t *testing.T, cfg Config) *Tracer {
	t.Helper()
	cfg.Version, cfg.Instance = "v1", "i"
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// metric gives what is shown of spans.
func metric(r *telemetry.Registry) string {
	q := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil)
	q.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	telemetry.Handler(r, telemetry.Health{}, nil).ServeHTTP(w, q)
	return w.Body.String()
}

const (
	remoteTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	remoteSpan  = "00f067aa0ba902b7"
	sampled     = "00-" + remoteTrace + "-" + remoteSpan + "-01"
	unsampled   = "00-" + remoteTrace + "-" + remoteSpan + "-00"
)

// TestSpans: a trace that a client began goes on here, with its parts.
func TestSpans(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	server := httptest.NewServer(c)
	defer server.Close()
	r := telemetry.NewRegistry()
	tr := tracer(t, Config{Endpoint: server.URL, Metrics: r})
	begin := time.Now().Add(-time.Hour)
	ctx, span := tr.Start(t.Context(), Beginning{
		Name: "call", Kind: Server, Begin: begin, Parent: sampled,
	})
	span.Set("long", strings.Repeat("x", 2*maxValue))
	span.Set("nothing", "")
	span.Count("bytes", 7)
	_, part := Child(ctx, "part")
	part.End("AccessDenied")
	span.End("")
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := c.next()
	names := map[string]string{}
	for _, a := range got.Resource.Attributes {
		names[a.Key] = a.Value.GetStringValue()
	}
	if names["service.name"] != "coffer" || names["service.version"] != "v1" || len(names) != 3 {
		t.Errorf("resource %v", names)
	}
	list := got.ScopeSpans[0].Spans
	if len(list) != 2 || list[0].Name != "part" || list[1].Name != "call" {
		t.Fatalf("got %v", list)
	}
	inner, outer := list[0], list[1]
	if hex.EncodeToString(outer.TraceId) != remoteTrace ||
		hex.EncodeToString(outer.ParentSpanId) != remoteSpan ||
		string(inner.ParentSpanId) != string(outer.SpanId) ||
		outer.Kind != tracepb.Span_SPAN_KIND_SERVER ||
		outer.StartTimeUnixNano != uint64(begin.UnixNano()) ||
		inner.Status.Code != tracepb.Status_STATUS_CODE_ERROR ||
		inner.Status.Message != "AccessDenied" {
		t.Errorf("got %v and %v", outer, inner)
	}
	if len(outer.Attributes) != 2 || len(outer.Attributes[0].Value.GetStringValue()) != maxValue ||
		outer.Attributes[1].Value.GetIntValue() != 7 {
		t.Errorf("attributes %v", outer.Attributes)
	}
	if text := metric(r); !strings.Contains(text, `outcome="sent"} 2`+"\n") ||
		!strings.Contains(text, `outcome="dropped"} 0`+"\n") {
		t.Errorf("counted %s", text)
	}
}

// TestSampling: the caller decides, else the ratio.
func TestSampling(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		ratio  float64
		parent string
		traced bool
	}{
		{0, "", false}, {1, "", true}, {0, sampled, true}, {1, unsampled, false},
		{0, "00-short-01", false}, {1, "00-short-01", true},
		{0, strings.Repeat("0", 1<<16), false},
	} {
		tr := tracer(t, Config{Endpoint: "http://127.0.0.1:1", Ratio: one.ratio})
		ctx, span := tr.Start(t.Context(), Beginning{Name: "call", Parent: one.parent})
		_, part := Child(ctx, "part")
		if (span != nil) != one.traced || (part != nil) != one.traced {
			t.Errorf("%v of %.60q: %v, %v", one.ratio, one.parent, span, part)
		}
		if err := tr.Close(t.Context()); err != nil { // nothing was ended, so nothing is sent
			t.Error(err)
		}
	}
}

// TestTLS: the collector is checked with the authority that was named.
func TestTLS(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	server := httptest.NewTLSServer(c)
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: server.Certificate().Raw,
	})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, outcome := range map[string]string{ca: "sent", "": "dropped"} {
		r := telemetry.NewRegistry()
		tr := tracer(t, Config{Endpoint: server.URL, CA: file, Ratio: 1, Metrics: r})
		_, span := tr.Start(t.Context(), Beginning{Name: "call"})
		span.End("")
		if err := tr.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if text := metric(r); !strings.Contains(text, `outcome="`+outcome+`"} 1`+"\n") {
			t.Errorf("with %q: %s", file, text)
		}
	}
}

// TestEndpoint refuses what spans must not be sent to.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{
		{}, {Endpoint: "collector:4318"}, {Endpoint: "ftp://localhost"},
		{Endpoint: "http://collector:4318"}, {Endpoint: "http://192.0.2.1"},
		{Endpoint: "https://user:secret@collector"}, {Endpoint: "https://collector?key=secret"},
		{Endpoint: "https://c\x00"}, {Endpoint: "https://c", CA: bad},
		{Endpoint: "https://c", CA: bad + "none"},
	} {
		_, err := New(cfg)
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	for _, url := range []string{
		"https://c", "https://c/", "http://localhost:1", "http://[::1]:1",
	} {
		c, err := newClient(url, "")
		if err != nil || !strings.HasSuffix(c.url, "/v1/traces") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if c, err := newClient("https://c/own/path", ""); err != nil || c.url != "https://c/own/path" {
		t.Errorf("a path of its own: %v", err)
	}
}

// TestOff: without a tracer nothing happens and nothing is allocated.
func TestOff(t *testing.T) {
	var tr *Tracer
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { off(ctx, tr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}

func off(ctx context.Context, tr *Tracer) {
	ctx, span := tr.Start(ctx, Beginning{Name: "call", Parent: sampled})
	_, part := Child(ctx, "part")
	part.Set("name", "value")
	part.Count("count", 1)
	part.End("failure")
	span.End("")
}

// BenchmarkOff is what a request costs that could have been traced.
func BenchmarkOff(b *testing.B) {
	var tr *Tracer
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		off(ctx, tr)
	}
}
