package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestLostShard: a process that lost a shard says so, is not ready any more,
// asks to be ended, and can be stopped.
func TestLostShard(t *testing.T) {
	t.Parallel()
	for _, id := range []int{0, 1, 9} { // control, a queue shard, events
		w := newWorld(t, nil)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.n.Wait(gone); err != nil {
			t.Errorf("Wait without a failure: %v", err)
		}
		if _, err := w.n.engine.Open(t.Context(), w.n.engine.Shards()[id]); err != nil {
			t.Fatal(err)
		}
		want := "shard " + strconv.Itoa(id)
		err := w.n.Wait(t.Context())
		if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		line := `level=ERROR msg="a shard is lost, the process ends" shard=` + strconv.Itoa(id)
		if !strings.Contains(w.log.String(), line) {
			t.Errorf("%s: not in the log:\n%s", want, w.log.String())
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			status, text := w.health(path)
			if status != 503 || !strings.Contains(text, want) {
				t.Errorf("%s: %s: %d %q", want, path, status, text)
			}
		}
		if err := w.n.Stop(t.Context()); err != nil {
			t.Logf("%s: stop: %v", want, err)
		}
		w.n = nil
	}
}

// TestStopIsNoLoss: what happens to shards after the stop is no failure.
func TestStopIsNoLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	n := w.n
	w.stop()
	select {
	case <-n.lost.Done():
		t.Error("a stopped process failed")
	default:
	}
	if strings.Contains(w.log.String(), "lost") {
		t.Error(w.log.String())
	}
}

func (w *world) health(path string) (status int, text string) {
	w.t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(
		"http://127.0.0.1:" + strconv.Itoa(w.n.metricsDoor.Port()) + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
