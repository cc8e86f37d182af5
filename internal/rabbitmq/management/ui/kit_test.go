package ui

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/rabbitmq/management"
	"coffer/internal/rabbitmq/rabbittest"
)

// world is the pages of a broker in memory, served over TLS.
type world struct {
	t      testing.TB
	broker *rabbittest.Broker
	site   *httptest.Server
	pages  *Handler
	log    logged

	mu  sync.Mutex
	now time.Time
}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	w := &world{
		t: t, broker: rabbittest.New(t, "ui", nil),
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	api := management.New(w.broker.Broker, doors{w}, connected{w.broker.Server},
		noLinks{}, management.Config{Logger: log})
	cfg.Logger, cfg.Now = log, w.clock
	w.pages = New(api, cfg)
	w.site = httptest.NewTLSServer(w.pages)
	t.Cleanup(func() {
		w.site.Close()
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// logged is what was logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// doors are the protocol as the API sees it.
type doors struct{ w *world }

func (d doors) Dial(ctx context.Context, user string) (net.Conn, error) {
	return d.w.broker.Enter(ctx, user)
}

func (d doors) Arguments(table []byte) (map[string]any, error) {
	if len(table) < 4 {
		return map[string]any{}, nil
	}
	t, err := wire.ParseTable(table[4:])
	return t.Plain(), err
}

func (d doors) Listeners() []management.Listener {
	return []management.Listener{{Protocol: "https", Address: "127.0.0.1", Port: 15671, TLS: true}}
}

// browser is a client with cookies.
type browser struct {
	w      *world
	client *http.Client
	token  string
}

// seen is a page as a browser got it.
type seen struct {
	code int
	path string // with its query, after redirections
	text string
	head http.Header
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	return &browser{w: w, client: &http.Client{Jar: jar, Transport: w.site.Client().Transport}}
}

// signedIn is a browser of the administrator.
func (w *world) signedIn() *browser {
	w.t.Helper()
	b := w.browser()
	s := b.signIn(rabbittest.User, rabbittest.Password)
	if s.code != 200 || s.path != "/" {
		w.t.Fatalf("sign in: %d %s %s", s.code, s.path, s.text)
	}
	return b
}

func (b *browser) signIn(user, password string) seen {
	b.w.t.Helper()
	return b.post("/login", url.Values{"username": {user}, "password": {password}})
}

func (b *browser) get(path string, query ...string) seen {
	b.w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.w.site.URL+link(path, query...), nil)
	must(b.w.t, err)
	return b.do(r)
}

// form sends a form as the page does, with its token.
func (b *browser) form(path string, fields ...string) seen {
	b.w.t.Helper()
	v := url.Values{"token": {b.token}}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return b.post(path, v)
}

func (b *browser) post(path string, v url.Values) seen {
	b.w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.w.site.URL+path, strings.NewReader(v.Encode()))
	must(b.w.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.w.site.URL)
	return b.do(r)
}

func (b *browser) do(r *http.Request) seen {
	b.w.t.Helper()
	resp, err := b.client.Do(r)
	must(b.w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.w.t, err)
	if m := tokenField.FindSubmatch(text); m != nil {
		b.token = string(m[1])
	}
	return seen{resp.StatusCode, resp.Request.URL.RequestURI(), string(text), resp.Header}
}

// shows fails unless the page has the code and the texts.
func (s seen) shows(t testing.TB, code int, parts ...string) {
	t.Helper()
	if s.code != code {
		t.Fatalf("%s: status %d, not %d: %s", s.path, s.code, code, s.main())
	}
	for _, p := range parts {
		if !strings.Contains(s.text, p) {
			t.Errorf("%s does not show %q:\n%s", s.path, p, s.main())
		}
	}
}

// main is the part of a page that tells pages apart, for failures.
func (s seen) main() string {
	_, text, ok := strings.Cut(s.text, "<main")
	if !ok {
		return s.text
	}
	text, _, _ = strings.Cut(text, "</main>")
	return text
}

// hides fails if the page has one of the texts.
func (s seen) hides(t testing.TB, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(s.text, p) {
			t.Errorf("%s shows %q:\n%s", s.path, p, s.main())
		}
	}
}
