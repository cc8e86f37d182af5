// Package management is the HTTP management API of one RabbitMQ broker: the routes and
// JSON fields that rabbitmqadmin, client libraries, Terraform and dashboards use.
//
// It guarantees that every request but those for nothing is of an authenticated user
// whose tags and permissions allow it, as in RabbitMQ; that what declares, publishes or
// gets goes through an AMQP connection as that user, so that every rule, permission
// and text of the messaging protocol holds; that bodies, pages and answers are bounded;
// and that a route of RabbitMQ's that is not built is answered with 501 by name.
//
// It serves no socket and does no TLS, and holds no state but the samples that rates are
// made of. Figures that only an Erlang node has are left out, or 0 where clients insist
// on a number. Sources: RabbitMQ's published HTTP API reference, its answers to the same
// requests, and the fields that public clients decode.
package management

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"coffer/internal/rabbitmq"
)

// Defaults of Config.
const (
	defaultMaxBody = 32 << 20
	defaultNode    = "rabbit@localhost"
	defaultVersion = "4.1.0"
	smallBody      = 1 << 20 // of requests that need not be large
)

// Config tunes a Handler; the zero value is the default.
type Config struct {
	Logger  *slog.Logger     // default slog.Default
	Now     func() time.Time // default time.Now
	Node    string           // name of the node; rabbit@localhost
	Version string           // of RabbitMQ, whose answers are followed; 4.1.0
	Product string           // default Coffer
	// Build is the version of this program.
	Build string
	// MaxBody bounds the bodies of definitions and messages, in octets; 32 MiB. Those
	// of other requests are bounded at 1 MiB.
	MaxBody int64
	// Samples are what rates come from; nil: they come from what was looked at before.
	Samples Samples
	// Metrics answers for /metrics and below; nil: they are not there.
	Metrics http.Handler
}

// Handler serves the API of one broker. It is safe for concurrent use.
type Handler struct {
	cfg     Config
	broker  *rabbitmq.Broker
	doors   Doors
	living  Living
	links   Links
	routes  *node
	meters  meters
	guard   *http.CrossOriginProtection
	started time.Time
	serial  atomic.Uint64 // of requests

	succeeded, failed atomic.Uint64 // sign-ins
	large             chan struct{} // holds a token for each large body in memory
}

// maxLarge bounds the large bodies that are in memory at a time.
const maxLarge = 2

// New makes a Handler. The doors are what it needs of the messaging protocols, and
// living is who uses them; links are its ways to other brokers.
func New(b *rabbitmq.Broker, doors Doors, living Living, links Links, cfg Config) *Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	for _, d := range []struct {
		of    *string
		value string
	}{{&cfg.Node, defaultNode}, {&cfg.Version, defaultVersion}, {&cfg.Product, "Coffer"},
		{&cfg.Build, "unknown"}} {
		if *d.of == "" {
			*d.of = d.value
		}
	}
	return &Handler{
		cfg: cfg, broker: b, doors: doors, living: living, links: links, routes: plant(routes()),
		guard: http.NewCrossOriginProtection(), started: cfg.Now(),
		large: make(chan struct{}, maxLarge),
	}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, nil) }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, as *Identity) {
	c := &call{
		h: h, r: r, as: as, serial: h.serial.Add(1), began: time.Now(),
		answer: answer{w: w},
	}
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-cache, no-store")
	defer c.release()
	if err := c.run(); err != nil {
		c.fail(err)
	}
	c.log()
}
