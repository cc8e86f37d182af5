package listen

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// web starts an HTTP server and gives a way to end it.
func web(t *testing.T, cfg Config, h http.Handler) (*Listener, <-chan error) {
	t.Helper()
	cfg.Name = "api"
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.ServeHTTP(&http.Server{Handler: h}) }()
	return l, served
}

// get asks for a path and gives the protocol and the body.
func get(t *testing.T, l *Listener, config *tls.Config, two bool) (proto, body string, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: two}
	defer transport.CloseIdleConnections()
	url := fmt.Sprintf("https://localhost:%d/", l.Port())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return "", "", err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.Proto, string(text), err
}

// TestHTTP serves HTTP/1.1 and HTTP/2 and lets a running request finish.
func TestHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t, "h2", "http/1.1")
	for _, two := range []bool{false, true} {
		arrived, release := make(chan struct{}), make(chan struct{})
		l, served := web(t, Config{TLS: k.server}, http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-release
				fmt.Fprintf(w, "%s %v", r.Proto, r.TLS != nil)
			}))
		answered := make(chan error, 1)
		go func() {
			proto, body, err := get(t, l, k.client, two)
			if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[two]; proto != want ||
				body != want+" true" {
				err = fmt.Errorf("%s %q: %w", proto, body, err)
			}
			answered <- err
		}()
		wait(t, arrived)
		closed := make(chan error, 1)
		go func() { closed <- l.Close(context.Background()) }()
		<-l.ctx.Done() // Close has begun
		close(release)
		if err := wait(t, answered); err != nil {
			t.Error(err)
		}
		if err := wait(t, closed); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := wait(t, served); err != nil {
			t.Errorf("ServeHTTP: %v", err)
		}
		if _, _, err := get(t, l, k.client, two); err == nil {
			t.Error("answered after Close")
		}
	}
}

// TestHTTPCut ends a request that does not end, and waits for its handler.
func TestHTTPCut(t *testing.T) {
	t.Parallel()
	k := newKit(t, "h2")
	arrived, left := make(chan struct{}), make(chan struct{})
	l, served := web(t, Config{TLS: k.server}, http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			close(left)
		}))
	answered := make(chan error, 1)
	go func() {
		_, _, err := get(t, l, k.client, true)
		answered <- err
	}()
	wait(t, arrived)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := l.Close(ctx); err == nil {
		t.Error("Close did not say that it cut")
	}
	select {
	case <-left:
	default:
		t.Error("the handler still runs")
	}
	if err := wait(t, answered); err == nil {
		t.Error("the request was answered")
	}
	if err := wait(t, served); err != nil {
		t.Errorf("ServeHTTP: %v", err)
	}
}

// TestHTTPUnserved closes before anybody served.
func TestHTTPUnserved(t *testing.T) {
	t.Parallel()
	l, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.ServeHTTP(&http.Server{}); err != nil {
		t.Error(err)
	}
}

// TestHTTPWithoutTLS tells a client that forgot the s of https, also one that is still
// sending; other protocols' get nothing.
func TestHTTPWithoutTLS(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	l, served := web(t, Config{TLS: k.server}, http.NotFoundHandler())
	for sent, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n":                                        true,
		"POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + strings.Repeat("x", 500_000): true,
		"\x01\x02\x03\x04\x05\x06\x07\x08":                                                 false,
	} {
		conn, err := dial(t, l, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Error(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if (err == nil) != want {
			t.Errorf("%.9q got %v, %v", sent, resp, err)
		}
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 400 || !strings.Contains(string(body), "use https://") {
				t.Errorf("got %s, %q, %v", resp.Status, body, err)
			}
		}
		conn.Close()
	}
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := wait(t, served); err != nil {
		t.Error(err)
	}
}
