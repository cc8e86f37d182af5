// Package metrics shows one RabbitMQ broker to Prometheus, with the names, types and
// labels of RabbitMQ's plugin rabbitmq_prometheus, so that its Grafana dashboards and
// alerts work; and it keeps samples of what the broker counts, from which come the
// rates that RabbitMQ's management API shows.
//
// It guarantees that a counter of the whole broker never goes down while the process
// runs, whatever is closed or deleted; that asking costs those who publish and consume
// nothing; and that memory is bounded whatever the number of queues.
//
// It serves no socket and asks for no password: who mounts the [Handler] does. Left out
// is what only Erlang, Mnesia or Raft have; testdata/left-out.txt lists each name with
// the reason. What RabbitMQ labels with an Erlang process has the name of the connection
// or channel instead, and what it counts for each pair of a channel and a queue or an
// exchange is counted for the channel. Names and types are those that RabbitMQ 3.10
// answers, and RabbitMQ 4.1 has added.
package metrics

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"coffer/internal/broker"
	"coffer/internal/rabbitmq"
)

// Broker is what is shown; *rabbitmq.Broker is one.
type Broker interface {
	Vhosts() []rabbitmq.Vhost
	Namespace(vhost string) (*broker.Namespace, bool)
}

// Doors is what is needed of the messaging protocols. It is called by many goroutines
// at once.
type Doors interface {
	// Connections lists those that are open, with their channels.
	Connections() []Connection
	// Protocols gives what each protocol has counted since the process began.
	Protocols() []Protocol
}

// Connection is one of a client.
type Connection struct {
	Name, Vhost, Protocol        string
	ReceivedBytes, SentBytes     uint64
	ReceivedPackets, SentPackets uint64
	PendingBytes                 int
	// Of a protocol without channels: links by which the client sends and receives.
	Senders, Receivers int
	Channels           []Channel
}

// Channel is one of a connection; its number is unique there.
type Channel struct {
	Number                       uint16
	Consumers                    int
	Prefetch, GlobalPrefetch     int
	Unacked, Unconfirmed         int
	Uncommitted, AcksUncommitted int
	Counts                       Counts
}

// Counts are how many messages went which way.
type Counts struct {
	Publish          uint64
	Confirm          uint64
	ReturnUnroutable uint64
	DropUnroutable   uint64
	Deliver          uint64 // to consumers that acknowledge
	DeliverNoAck     uint64
	Get              uint64
	GetNoAck         uint64
	GetEmpty         uint64
	Redeliver        uint64
	Ack              uint64
}

// Protocol is what one protocol has counted. Nothing of it ever goes down.
type Protocol struct {
	Name                                 string // RabbitMQ's word: amqp091
	Counts                               Counts
	PublishConfirm                       uint64 // of Counts.Publish: by who wants confirms
	ConnectionsOpened, ConnectionsClosed uint64
	ChannelsOpened, ChannelsClosed       uint64
	QueuesDeclared                       uint64
	LoginsAccepted, LoginsRefused        uint64
}

// Node is what is shown of the process.
type Node struct {
	Name, Cluster, ClusterID string
	Version                  string // of RabbitMQ, that is followed
	Runtime                  string // Go's version
	Product, Build           string // this program and its version
	Started                  time.Time
	OpenFiles, MaxFiles      int64
	OpenSockets, MaxSockets  int64
	Memory, MemoryLimit      int64 // bytes
	DiskFree, DiskLimit      int64 // bytes
	Full                     bool  // messages are refused for want of disk
	Goroutines, GCRuns       int64
	GCFreed                  int64 // bytes
}

// Config tunes a Handler.
type Config struct {
	Now  func() time.Time // default time.Now
	Node func() Node      // needed
	// Capacity gives the part of the time in which a queue could have delivered at
	// once, from 0 to 1; nil: it is 0 for all.
	Capacity func(vhost, queue string) float64
}

// maxScrapes bounds concurrent requests; each takes memory.
const maxScrapes = 4

// Handler answers GET for paths that end in metrics, metrics/per-object and
// metrics/detailed, whatever is in front of that. It is safe for concurrent use.
type Handler struct {
	broker Broker
	doors  Doors
	cfg    Config
	busy   chan struct{}
	ledger ledger
	sizes  [2]atomic.Int64 // of the last answers: sums, and each object
}

// New makes a Handler.
func New(b Broker, d Doors, cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Capacity == nil {
		cfg.Capacity = func(string, string) float64 { return 0 }
	}
	return &Handler{broker: b, doors: d, cfg: cfg, busy: make(chan struct{}, maxScrapes)}
}

// contentType is that of the text format of Prometheus.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// ServeHTTP answers one request. The detailed endpoint takes family and vhost, each
// as often as wanted; without a family it shows nothing but who the broker is.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := viewOf(r)
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	select {
	case h.busy <- struct{}{}:
		defer func() { <-h.busy }()
	default:
		http.Error(w, "too many scrapes at a time", http.StatusServiceUnavailable)
		return
	}
	text := h.render(v)
	head := w.Header()
	head.Set("Content-Type", contentType)
	head.Set("Cache-Control", "no-store")
	head.Set("Vary", "Accept-Encoding")
	if r.Method == http.MethodHead {
		return
	}
	if !acceptsGzip(r) {
		w.Write(text)
		return
	}
	head.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	z.Write(text)
	z.Close()
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(weight) != "q=0" {
			return true
		}
	}
	return false
}

// view is what a request wants to see.
type view struct {
	endpoint string          // RabbitMQ's word
	prefix   string          // of names
	each     bool            // each object by itself
	families map[string]bool // nil: all that the endpoint shows
	vhosts   map[string]bool // nil: all
}

func viewOf(r *http.Request) (view, bool) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case strings.HasSuffix(path, "/metrics"):
		return view{endpoint: "aggregated", prefix: "rabbitmq_"}, true
	case strings.HasSuffix(path, "/metrics/per-object"):
		return view{endpoint: "per-object", prefix: "rabbitmq_", each: true}, true
	case strings.HasSuffix(path, "/metrics/detailed"):
		query := r.URL.Query()
		v := view{endpoint: "detailed", prefix: "rabbitmq_detailed_", each: true}
		v.families = set(query["family"])
		if list := query["vhost"]; len(list) > 0 {
			v.vhosts = set(list)
		}
		return v, true
	}
	return view{}, false
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// in reports whether a virtual host is to be shown.
func (v *view) in(vhost string) bool { return v.vhosts == nil || v.vhosts[vhost] }
