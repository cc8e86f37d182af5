package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/listen"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/rabbitmq"
	"coffer/internal/seal"
	"coffer/internal/service/cloudtrail"
	"coffer/internal/service/iam"
	"coffer/internal/service/kms"
	"coffer/internal/service/mq"
	"coffer/internal/service/sqs"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/telemetry"
	"coffer/internal/telemetry/trace"
	"coffer/internal/tlsx"
)

// Node is one running process. Stop it once.
type Node struct {
	cfg Config
	log *slog.Logger

	root   seal.Secret // wiped once the state is open
	keeper *rootKeeper
	// rootTurn is held while the root key is replaced or a backup is begun.
	rootTurn sync.Mutex
	beside   atomic.Bool // the root key lies in a file in the data directory
	// filesKey seals the secret files of backups, and opens those of a backup.
	filesKey   seal.Secret
	restored   *embedded.Restored // nil = the store never was
	engine     *embedded.Engine
	shards     []store.Shard
	db         *control.DB
	trail      *audit.Log
	cloudtrail *cloudtrail.Service
	ring       *keyring.Keyring
	core       *broker.Core
	rabbit     *rabbitmq.Engine
	gateway    *gateway.Gateway
	backups    *backups
	resealing  *resealing
	iam        *iam.Service
	keys       *kms.Service
	mq         *mq.Service
	sqs        *sqs.Service
	fleet      *fleet
	certs      tlsx.GetCertificate
	// certTurn is held while certificates are renewed or read again; it guards unusable:
	// why the files of a setting are not in use, "" when they are.
	certTurn sync.Mutex
	unusable map[string]string
	clientCA *clientCA    // nil: AMQP clients show no certificates
	leaves   *tlsx.Leaves // the internal certificates; nil: the user's are used
	metrics  *telemetry.Registry
	tracer   *trace.Tracer // nil: nothing is traced
	events   listen.Events
	budget   *listen.Budget // of all listeners that others than this machine reach
	clients  amqp091.Events
	counts   *counts
	health   telemetry.Health // since the doors are open
	files    *tlsx.Files      // the user's certificates; nil = the internal ones

	started time.Time

	api, metricsDoor *listen.Listener
	doors            sync.WaitGroup                // what serves listeners
	listeners        []*listen.Listener            // but those of single brokers
	stops            []func(context.Context) error // in the order of starting

	watching              // ends the process when a shard is lost
	announcing sync.Mutex // held while endpoints.json is written
	announced  bool       // it says that the process serves; guarded by announcing
}

// Start builds and starts a process. On an error everything that was started is
// stopped.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	n := newNode(cfg)
	n.cfg.unseal = n.unseal
	for _, step := range []func(context.Context) error{
		n.openClientCA, n.openStore, n.openTraces, n.openState, n.openCertificates,
		n.openBackups, n.openServices, n.openExpiry, n.startBrokers, n.startQueues, n.openResealing,
		n.checkFiles, n.openDoors, n.openOperator, n.announce,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
		}
	}
	return n, nil
}

func newNode(cfg Config) *Node {
	n := &Node{
		cfg: cfg, log: cfg.Logger, metrics: telemetry.NewRegistry(), started: time.Now(),
		unusable: map[string]string{}, budget: listen.NewBudget(connectionBudget(maxFiles())),
	}
	n.watching = newWatching()
	n.events = listen.Observe(n.log, n.metrics)
	n.counts = newCounts(n.metrics)
	n.clients = observeClients(n.log, n.metrics, n.counts)
	return n
}

// Stop ends the process in order: doors, brokers, what they rest on, the store. On
// a full disk it gives writes up that still wait for room after a while; nobody
// was told that they are done.
func (n *Node) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*n.cfg.drain)
	defer cancel()
	if n.engine != nil { // what waits for room on a full disk would keep all waiting
		defer time.AfterFunc(n.cfg.drain/2, n.engine.StopWaiting).Stop()
	}
	n.unwatch()
	n.warnUntold(n.cfg.Supervisor.Stopping())
	var errs []error
	for i := len(n.stops) - 1; i >= 0; i-- {
		errs = append(errs, n.stops[i](ctx))
	}
	n.stops = nil
	n.doors.Wait()
	n.root.Wipe()
	n.filesKey.Wipe()
	return errors.Join(errs...)
}

func (n *Node) onStop(fn func(context.Context) error) { n.stops = append(n.stops, fn) }

// openStore takes the data directory. The root key comes first: without it
// nothing may be touched.
func (n *Node) openStore(ctx context.Context) error {
	if err := os.MkdirAll(n.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	var err error
	if err := embedded.Gate(filepath.Join(n.cfg.Data, dirStore)); err != nil {
		return fmt.Errorf("data directory %s: %w", n.cfg.Data, err)
	}
	if n.root, n.keeper, err = rootKey(ctx, &n.cfg); err != nil {
		return err
	}
	engine, err := embedded.Open(embedded.Config{
		Dir: filepath.Join(n.cfg.Data, dirStore), Logger: n.log, Writer: n.cfg.Version,
		LowWaterBytes: n.cfg.lowWaterBytes, LowWaterPercent: n.cfg.lowWaterPercent,
		Synced: n.counts.synced, Committed: n.counts.committed,
	})
	if errors.Is(err, store.ErrInUse) {
		return fault.Wrap(fault.Conflict, err, "the data directory "+n.cfg.Data+
			" is in use by another process; stop it, or choose another with --data")
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	n.engine = engine
	n.counts.last = engine.Shards()[len(engine.Shards())-1]
	n.onStop(func(context.Context) error { return engine.Close() })
	if n.restored, err = n.tellStore(); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if err := removeHalves(n.cfg.Data, filepath.Join(n.cfg.Data, dirStore)); err != nil {
		return fmt.Errorf("remove half-written files: %w", err)
	}
	// A process that was killed left its own.
	err = os.Remove(filepath.Join(n.cfg.Data, fileEndpoints))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", fileEndpoints, err)
	}
	return nil
}

// openState opens what every service rests on.
func (n *Node) openState(ctx context.Context) error {
	defer n.root.Wipe()
	ids := n.engine.Shards()
	shards := make([]store.Shard, len(ids))
	n.shards = shards
	var err error
	for i, id := range ids {
		if shards[i], err = n.engine.Open(ctx, id); err != nil {
			return fmt.Errorf("open shard %d: %w", id, err)
		}
		n.watch(n.log, id, shards[i])
	}
	last := len(ids) - 1
	n.db, err = control.Open(ctx, shards[0], n.root, control.Config{
		Incarnation: n.engine.Identity().Incarnation, RootHeader: n.keeper.text(),
	})
	if errors.Is(err, control.ErrRootKey) {
		return n.keeper.wrong(err)
	}
	if err == nil {
		err = n.keeper.keep(n.root)
		n.noteKeyFile(n.keeper.source)
	}
	if n.cfg.Names != nil && err == nil {
		n.cfg.Names.Use(func(name string) string {
			return hex.EncodeToString(n.db.MAC("node/log-name", name)[:8])
		})
	}
	if err == nil {
		err = n.takeFiles()
	}
	if err != nil {
		return fmt.Errorf("open control state: %w", err)
	}
	if err := n.openTrail(ctx, shards[last], ids[last]); err != nil {
		return err
	}
	n.ring = keyring.New(n.db.StartNumber(), keyring.Config{
		Logger: n.log, Delay: n.cfg.revocationDelay,
		Fenced: func(_ string, domains []seal.DomainID, took time.Duration) {
			if g := n.cfg.gauge; g != nil {
				g.fenced()
			}
			n.counts.fenced(len(domains), took)
		},
		Asked: n.counts.answered,
	})
	n.onStop(func(context.Context) error { n.ring.Close(); return nil })
	n.core, err = broker.Open(ctx, broker.Config{
		Shards: shards[1:last], Control: n.db, Logger: n.log, Room: n.engine.Room,
		Recorder: recorder{n}, Confirmed: n.counts.confirmed,
		MaxMessage: n.cfg.maxMessageBytes + forProperties, Lead: amqp091.Lead,
	})
	if err != nil {
		return fmt.Errorf("open queues: %w", err)
	}
	n.onStop(n.core.Close)
	// Everything above the store reads entries of the last format and writes the
	// present one, so there is nothing else to do.
	if err := n.engine.Upgraded(); err != nil {
		return fmt.Errorf("upgrade data directory: %w", err)
	}
	return nil
}

// metricsName is the listener of metrics and health.
const metricsName = "metrics"

// openDoors opens the API, and metrics for the machine itself.
func (n *Node) openDoors(context.Context) error {
	var err error
	n.api, err = n.listen(listen.Config{
		Name: "api", Port: n.cfg.APIPort, Flag: "--api-port",
		TLS: n.cfg.tlsProfile.Server(n.certs, "h2", "http/1.1"),
	})
	if err != nil {
		return err
	}
	handler := http.Handler(n.gateway)
	if g := n.cfg.gauge; g != nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.arrived()
			n.gateway.ServeHTTP(w, r)
		})
	}
	n.serveHTTP(n.api, &http.Server{Handler: handler})
	n.metricsDoor, err = n.listen(listen.Config{
		Name: metricsName, Address: "127.0.0.1", Port: n.cfg.MetricsPort, Flag: "--metrics-port",
	})
	if err != nil {
		return err
	}
	n.health = telemetry.Health{
		Live:  map[string]telemetry.Check{"store": n.storeHealth},
		Ready: map[string]telemetry.Check{"brokers": n.fleet.ready, "store": n.storeHealth},
		Shown: map[string]telemetry.Check{
			"disk space": n.roomHealth, "disk": n.syncHealth, "audit heads": n.trailHealth,
		},
	}
	n.observe()
	shown := telemetry.Handler(n.metrics, n.health, map[string]http.Handler{
		"/rabbitmq/": http.HandlerFunc(n.fleet.scrape),
	})
	n.serveHTTP(n.metricsDoor, &http.Server{Handler: shown})
	n.doors.Go(n.fleet.sample)
	return nil
}

func (n *Node) serveHTTP(l *listen.Listener, server *http.Server) {
	server.ErrorLog = slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)
	n.doors.Go(func() {
		if err := l.ServeHTTP(server); err != nil {
			n.log.Error("http door failed", "error", err)
		}
	})
}

// serve hands a listener's connections to a handler until it is closed.
func (n *Node) serve(l *listen.Listener, h listen.Handler) {
	n.doors.Go(func() { l.Serve(h) })
}

// listen opens a listener that Stop closes.
func (n *Node) listen(cfg listen.Config) (*listen.Listener, error) {
	l, err := n.bind(cfg)
	if err == nil {
		n.listeners = append(n.listeners, l)
		n.onStop(func(ctx context.Context) error { return n.closeListener(ctx, l) })
	}
	return l, err
}

// bind opens a listener, on any port if the system is to choose.
func (n *Node) bind(cfg listen.Config) (*listen.Listener, error) {
	if n.cfg.AutoPorts {
		cfg.Port = 0
	}
	if cfg.Address == "" {
		cfg.Address = n.cfg.Listen
	}
	cfg.Events = n.events
	if cfg.Name != metricsName { // only this machine reaches that, and must when all is taken
		cfg.Budget = n.budget
	}
	return listen.Open(cfg)
}

// closeListener drains a listener; connections that do not leave are cut.
func (n *Node) closeListener(ctx context.Context, l *listen.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.drain)
	defer cancel()
	if err := l.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("close listener: %w", err)
	}
	return nil
}

// closeDoors closes all listeners at once, so that clients of one door hear of the end
// while those of another one still say goodbye, or do not.
func (n *Node) closeDoors(ctx context.Context) error {
	all := append(n.fleet.listeners(), n.listeners...)
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, l := range all {
		wg.Go(func() { errs[i] = n.closeListener(ctx, l) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// announce writes endpoints.json, which says that all is open.
func (n *Node) announce(context.Context) error {
	n.announcing.Lock()
	n.announced = true
	n.announcing.Unlock()
	n.onStop(func(ctx context.Context) error {
		n.sqs.EndWaits()
		return errors.Join(n.retract(ctx), n.closeDoors(ctx))
	})
	if err := n.writeEndpoints(); err != nil {
		return err
	}
	n.log.Info("serving", "api", net.JoinHostPort(n.cfg.Hostname, fmt.Sprint(n.api.Port())),
		"amqp", net.JoinHostPort(n.cfg.Hostname, fmt.Sprint(n.fleet.door.Port())),
		"management", net.JoinHostPort(n.cfg.Hostname, fmt.Sprint(n.fleet.management.Port())),
		"data", n.cfg.Data)
	n.warnUntold(n.cfg.Supervisor.Ready("serving"))
	return nil
}

// warnUntold tells that the supervisor was not told, which then ends the process some time.
func (n *Node) warnUntold(err error) {
	if err != nil {
		n.log.Warn("the supervisor was not told", "error", err)
	}
}

// retract removes endpoints.json for good.
func (n *Node) retract(context.Context) error {
	n.announcing.Lock()
	defer n.announcing.Unlock()
	n.announced = false
	if err := os.Remove(filepath.Join(n.cfg.Data, fileEndpoints)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rewrite brings endpoints.json up to date when brokers came or went.
func (n *Node) rewrite() {
	if err := n.writeEndpoints(); err != nil {
		n.log.Error("endpoints file", "error", err)
	}
}

func (n *Node) writeEndpoints() error {
	n.announcing.Lock()
	defer n.announcing.Unlock()
	if !n.announced {
		return nil
	}
	e := n.fleet.endpoints()
	e.Hostname, e.API, e.Metrics = n.cfg.Hostname, n.api.Port(), n.metricsDoor.Port()
	if err := e.write(n.cfg.Data); err != nil {
		return fmt.Errorf("write %s: %w", fileEndpoints, err)
	}
	return nil
}
