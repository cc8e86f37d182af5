package trace

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/telemetry"
)

// many ends spans.
func many(t *testing.T, tr *Tracer, n int) {
	t.Helper()
	for range n {
		_, span := tr.Start(t.Context(), Beginning{Name: "call"})
		if span == nil {
			t.Fatal("not traced")
		}
		span.End("")
	}
}

// TestCollectorHangs: nobody waits for a collector that does not answer; what it cannot
// take is dropped and counted, and no more waits than the bound.
func TestCollectorHangs(t *testing.T) {
	t.Parallel()
	c, hang, entered := newCollector(t), make(chan struct{}), make(chan struct{}, 100)
	c.answer = func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-hang }
	server := httptest.NewServer(c)
	defer server.Close()
	defer close(hang)
	r := telemetry.NewRegistry()
	tr := tracer(t, Config{Endpoint: server.URL, Ratio: 1, Metrics: r})
	many(t, tr, 1)
	select {
	case <-entered: // the sender waits from now on
	case <-time.After(longEnough):
		t.Fatal("nothing is sent")
	}
	many(t, tr, maxQueue+100)
	if text := metric(r); !strings.Contains(text, `outcome="dropped"} 100`+"\n") {
		t.Errorf("counted %s", text)
	}
	if n := len(tr.queue.spans); n != maxQueue {
		t.Errorf("%d spans wait", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if tr.Close(ctx) == nil {
		t.Error("all was sent")
	}
	if text := metric(r); !strings.Contains(text, `outcome="sent"} 0`+"\n") {
		t.Errorf("counted %s", text)
	}
}

// TestCollectorRefuses: what a collector refuses is dropped, which is told once, and
// later spans are sent; a redirect is followed nowhere.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("spans went elsewhere")
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	var log bytes.Buffer
	r := telemetry.NewRegistry()
	tr := tracer(t, Config{Endpoint: server.URL, Ratio: 1, Metrics: r, every: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for i, code := range []int{503, 307, 404, 200} {
		status.Store(int64(code))
		many(t, tr, 1)
		want := `outcome="dropped"} ` + string(rune('1'+i)) + "\n"
		if code == 200 {
			want = `outcome="sent"} 1` + "\n"
		}
		deadline := time.Now().Add(longEnough)
		for !strings.Contains(metric(r), want) {
			if time.Now().After(deadline) {
				t.Fatalf("after %d: %s", code, metric(r))
			}
			runtime.Gosched()
		}
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "spans are dropped"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
}
