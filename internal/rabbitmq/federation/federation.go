// Package federation runs the federation links of a broker: exchanges and queues whose
// policy names upstreams get messages of exchanges and queues of other brokers
// (rabbitmq.com/docs/federation).
//
// It guarantees that a message is settled upstream only after the broker here has
// confirmed it, unless the upstream's ack-mode asks for less; that no message passes a
// cluster twice, nor more than max-hops of them; and that no password of a URI is in a
// status, an error or a log. A link that fails is tried again after the reconnect delay.
//
// Unlike RabbitMQ the internal exchange upstream is always a fanout, so messages that
// have come too far are dropped here and not there, and the queue upstream is kept when
// a link only starts anew. What changes here is looked for twice a second.
package federation

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
)

// Components of parameters.
const (
	Upstream    = "federation-upstream"
	UpstreamSet = "federation-upstream-set"
)

// Broker is the one that links bring messages to; [rabbitmq.Broker] is one.
type Broker interface {
	// Parameters lists those of all components.
	Parameters() []rabbitmq.Parameter
	// WatchParameters calls fn after each change of parameters and policies until stop
	// is called. fn does not block.
	WatchParameters(fn func()) (stop func())
	// Vhosts lists the virtual hosts.
	Vhosts() []rabbitmq.Vhost
	// Namespace gives what is in a virtual host.
	Namespace(vhost string) (*broker.Namespace, bool)
	// Effective gives the policies of an exchange or queue and what they say.
	Effective(vhost, kind, name string) (
		policy, operator *rabbitmq.Policy, definition map[string]any)
}

var _ Broker = (*rabbitmq.Broker)(nil)

// Config tunes a Set.
type Config struct {
	Logger  *slog.Logger  // default slog.Default
	Cluster string        // name of this cluster; default coffer
	Poll    time.Duration // between looks at what changes here; 500 ms
	// Arguments reads the arguments of queues, exchanges and bindings; needed.
	Arguments func(table []byte) (map[string]any, error)
}

const defaultPoll = 500 * time.Millisecond

// Set runs the links of one broker. It is safe for concurrent use.
type Set struct {
	cfg    Config
	broker Broker
	dialer *peer.Dialer
	ctx    context.Context
	cancel context.CancelFunc
	look   chan struct{} // holds a token when parameters or policies may have changed
	work   sync.WaitGroup

	seen map[string]*broker.Topology // by virtual host, of the last look; follow's

	mu    sync.Mutex
	links map[key]*link
}

// Run starts the links that policies ask for, and follows them until Close.
func Run(b Broker, dialer *peer.Dialer, cfg Config) *Set {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Cluster = cmp.Or(cfg.Cluster, "coffer")
	cfg.Poll = cmp.Or(cfg.Poll, defaultPoll)
	s := &Set{
		cfg: cfg, broker: b, dialer: dialer, look: make(chan struct{}, 1),
		seen: map[string]*broker.Topology{}, links: map[key]*link{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work.Go(s.follow)
	return s
}

// Close ends all links. What they have upstream stays there.
func (s *Set) Close() {
	s.cancel()
	s.work.Wait()
}

// follow brings links in line with policies, parameters and what there is.
func (s *Set) follow() {
	defer s.broker.WatchParameters(func() {
		select {
		case s.look <- struct{}{}:
		default:
		}
	})()
	ticker := time.NewTicker(s.cfg.Poll)
	defer ticker.Stop()
	s.adjust()
	for {
		select {
		case <-s.look:
			s.adjust()
		case <-ticker.C:
			if s.changed() {
				s.adjust()
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// changed reports whether exchanges, queues or bindings have changed where there are
// upstreams.
func (s *Set) changed() bool {
	for vhost, t := range s.seen {
		if n, ok := s.broker.Namespace(vhost); !ok || n.Topology() != t {
			return true
		}
	}
	return false
}

// adjust starts what is new and ends what is gone or changed.
func (s *Set) adjust() {
	wanted := s.wanted()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.links {
		p, ok := wanted[k]
		switch {
		case !ok:
			l.gone.Store(true)
			l.cancel()
			delete(s.links, k)
		case p.raw != l.plan.raw:
			l.cancel()
			s.start(p, l.ended)
		default:
			l.poke()
		}
	}
	for k, p := range wanted {
		if s.links[k] == nil {
			s.start(p, nil)
		}
	}
}

// start runs a link after another one has ended. It is called with mu held.
func (s *Set) start(p *plan, after <-chan struct{}) {
	if s.ctx.Err() != nil {
		return
	}
	l := newLink(s, p)
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(s.ctx)
	s.links[p.key] = l
	s.work.Go(func() {
		defer close(l.ended)
		defer l.cancel()
		if after != nil {
			<-after
		}
		l.run(ctx)
	})
}

// List shows the links, by virtual host, name and upstream.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.links))
	for _, l := range s.links {
		list = append(list, l.shown())
	}
	slices.SortFunc(list, Status.compare)
	return list
}

// Restart ends a link and starts it again at once: [fault.NotFound] if there is none of
// the id in the virtual host.
func (s *Set) Restart(vhost, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.links {
		if k.vhost == vhost && k.id() == id {
			l.cancel()
			s.start(l.plan, l.ended)
			return nil
		}
	}
	return fault.New(fault.NotFound, "federation link '%s' in virtual host '%s' not found",
		id, vhost)
}
