// Package shovel runs the dynamic shovels of a broker: the parameters of the component
// "shovel", each of which moves messages from a queue or exchange of one broker to
// another (rabbitmq.com/docs/shovel-dynamic).
//
// It guarantees that a message is settled at its source only after its destination has
// confirmed it, unless the definition asks for less; that a shovel follows its parameter
// and ends with it; and that no password of a URI is in a status, an error or a log.
// What fails is tried again after the reconnect delay.
//
// Unlike RabbitMQ a message for dest-queue has to find that queue: when it was deleted,
// the shovel starts anew and declares it, instead of letting messages go nowhere. Both
// ends speak AMQP 0-9-1; the protocols amqp10 and local are refused. Property cluster-id
// is not carried on.
package shovel

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
)

// Component is that of the parameters.
const Component = "shovel"

// Parameters is where definitions are kept; [rabbitmq.Broker] is one.
type Parameters interface {
	// Parameters lists those of all components.
	Parameters() []rabbitmq.Parameter
	// WatchParameters calls fn after each change until stop is called. fn does not block.
	WatchParameters(fn func()) (stop func())
	// DeleteParameter removes one.
	DeleteParameter(ctx context.Context, component, vhost, name string) error
}

var _ Parameters = (*rabbitmq.Broker)(nil)

// Config tunes a Set; the zero value is the default.
type Config struct {
	Logger  *slog.Logger // default slog.Default
	Cluster string       // that headers name; default coffer
}

// Set runs the shovels of one broker. It is safe for concurrent use.
type Set struct {
	cfg    Config
	params Parameters
	dialer *peer.Dialer
	ctx    context.Context
	cancel context.CancelFunc
	look   chan struct{} // holds a token when parameters may have changed
	work   sync.WaitGroup

	mu      sync.Mutex
	workers map[key]*worker
}

// key names a shovel.
type key struct{ vhost, name string }

// Run starts the shovels that there are, and follows the parameters until Close.
func Run(params Parameters, dialer *peer.Dialer, cfg Config) *Set {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Cluster == "" {
		cfg.Cluster = "coffer"
	}
	s := &Set{
		cfg: cfg, params: params, dialer: dialer,
		look: make(chan struct{}, 1), workers: map[key]*worker{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work.Go(s.follow)
	return s
}

// Close ends all shovels: what is on its way is settled within a few seconds, and then
// comes again at the next start.
func (s *Set) Close() {
	s.cancel()
	s.work.Wait()
}

// follow brings workers in line with parameters.
func (s *Set) follow() {
	defer s.params.WatchParameters(func() {
		select {
		case s.look <- struct{}{}:
		default:
		}
	})()
	for {
		s.adjust()
		select {
		case <-s.look:
		case <-s.ctx.Done():
			return
		}
	}
}

// adjust starts what is new and ends what is gone or changed.
func (s *Set) adjust() {
	wanted := map[key]rabbitmq.Parameter{}
	for _, p := range s.params.Parameters() {
		if p.Component == Component {
			wanted[key{p.Vhost, p.Name}] = p
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, w := range s.workers {
		if p, ok := wanted[k]; !ok || !bytes.Equal(p.Value, w.value) || p.By != w.by {
			w.cancel()
			delete(s.workers, k)
			if ok {
				s.start(k, p.Value, p.By, w.ended)
			}
		}
	}
	for k, p := range wanted {
		if s.workers[k] == nil {
			s.start(k, p.Value, p.By, nil)
		}
	}
}

// start runs a worker after another one has ended. It is called with mu held.
func (s *Set) start(k key, value []byte, by string, after <-chan struct{}) {
	if s.ctx.Err() != nil {
		return
	}
	w := &worker{
		set: s, key: k, value: value, by: by, ended: make(chan struct{}),
		log: s.cfg.Logger.With("shovel", k.name, "vhost", k.vhost),
	}
	w.report(Status{State: Starting})
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(s.ctx)
	s.workers[k] = w
	s.work.Go(func() {
		defer close(w.ended)
		defer w.cancel()
		if after != nil {
			<-after
		}
		w.run(ctx)
	})
}

// List shows the shovels, by virtual host and name.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.workers))
	for _, w := range s.workers {
		list = append(list, w.shown())
	}
	slices.SortFunc(list, Status.compare)
	return list
}

// Restart ends a shovel and starts it again at once: [fault.NotFound] if there is none
// of the name.
func (s *Set) Restart(vhost, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{vhost, name}
	w := s.workers[k]
	if w == nil {
		return fault.New(fault.NotFound, "shovel '%s' in virtual host '%s' not found", name, vhost)
	}
	w.cancel()
	s.start(k, w.value, w.by, w.ended)
	return nil
}
