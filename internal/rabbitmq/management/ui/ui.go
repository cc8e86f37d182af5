// Package ui is the management UI of one RabbitMQ broker: pages for people, with the tabs
// that users of RabbitMQ know.
//
// It guarantees that whatever a page shows or does is an answer of the management API to
// a request as the user who signed in: there is no other way to the broker. It keeps no
// password: a session is a random cookie and a [management.Identity], which ends with the
// password it was made of. Everything that changes something needs a token of the session
// and comes from one of the pages. Texts of users are shown as texts, whatever is in them, and
// pages hold no script and no style but files of this package. The pages work without
// scripts, which only keep figures fresh and ask before what cannot be undone.
//
// It serves no socket and does no TLS; its cookie is sent over TLS only.
package ui

import (
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"coffer/internal/rabbitmq/management"
)

// Defaults of Config.
const (
	defaultIdle     = 30 * time.Minute
	defaultLifetime = 8 * time.Hour
	defaultSessions = 1000
	defaultMaxBody  = 32 << 20
)

// Config tunes a Handler; the zero value is the default.
type Config struct {
	Logger *slog.Logger     // default slog.Default
	Now    func() time.Time // default time.Now

	Idle        time.Duration // a session ends when nothing was asked for that long; 30 min
	Lifetime    time.Duration // and that long after it began; 8 h
	MaxSessions int           // at once, of all users; 1000
	MaxBody     int64         // of messages and definitions, in octets; 32 MiB
}

// Handler serves the pages, and hands everything else to the API. It is safe for
// concurrent use.
type Handler struct {
	cfg      Config
	api      *management.Handler
	mux      *http.ServeMux
	pages    map[string]*template.Template
	sessions sessions
	guard    *http.CrossOriginProtection
	large    chan struct{} // holds a token for each large form in memory
}

//go:embed page/*.html
var pageFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// New makes a Handler over an API.
func New(api *management.Handler, cfg Config) *Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Idle == 0 {
		cfg.Idle = defaultIdle
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLifetime
	}
	if cfg.MaxSessions == 0 {
		cfg.MaxSessions = defaultSessions
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	h := &Handler{
		cfg: cfg, api: api, mux: http.NewServeMux(), pages: parsePages(pageFiles),
		guard: http.NewCrossOriginProtection(), large: make(chan struct{}, maxLarge),
		sessions: sessions{
			idle: cfg.Idle, life: cfg.Lifetime, most: cfg.MaxSessions,
			all: map[key]*session{},
		},
	}
	h.route()
	return h
}

// route fills the table of pages.
func (h *Handler) route() {
	h.mux.Handle("GET /static/{file}", static(staticFiles))
	h.mux.Handle("GET /favicon.ico", http.RedirectHandler("/static/icon.svg", http.StatusFound))
	h.mux.HandleFunc("GET /login", h.showLogin)
	h.mux.HandleFunc("POST /login", h.login)
	for _, p := range pages() {
		h.mux.HandleFunc(p.pattern, h.serve(p))
	}
	h.mux.Handle("/", h.api)
}

// ServeHTTP answers one request. Those of the API go there as they are: names in their
// paths may look as if paths were to be cleaned.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		h.api.ServeHTTP(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// static serves files that never change in a process. They hold no data of anyone.
func static(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		w.Header().Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}

// secure sets what every answer says to browsers. With a policy of no-referrer, forms
// would come without their origin.
func secure(head http.Header) {
	head.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; "+
		"style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "same-origin")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
}
