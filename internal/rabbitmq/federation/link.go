package federation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/relay"
)

// Bounds of an end.
const (
	closeGrace = 5 * time.Second  // for a goodbye
	cutAfter   = 10 * time.Second // for a link that is to end while a peer takes nothing
)

// link runs one link.
type link struct {
	set    *Set
	plan   *plan
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned
	gone   atomic.Bool   // nobody wants it any more: what is upstream is to be removed
	look   chan struct{} // holds a token when bindings may have changed

	counters relay.Counters

	mu     sync.Mutex
	status Status
}

func newLink(s *Set, p *plan) *link {
	l := &link{
		set: s, plan: p, ended: make(chan struct{}), look: make(chan struct{}, 1),
		log: s.cfg.Logger.With("federated "+p.kind, p.name, "vhost", p.vhost,
			"upstream", p.upstream.name),
	}
	l.report(Starting, p.upstream.uris[0].String(), nil)
	return l
}

// poke tells the link that bindings may have changed.
func (l *link) poke() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// connectionName is RabbitMQ's.
func (l *link) connectionName() string {
	name := fmt.Sprintf("Federation link (upstream: %s, policy: %s)",
		l.plan.upstream.name, l.plan.policy)
	return name[:min(len(name), 255)]
}

// run brings messages until ctx ends.
func (l *link) run(ctx context.Context) {
	for ctx.Err() == nil {
		uri, err := l.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		l.report(Failed, uri, err)
		if l.plan.upstream.delay == 0 || !wait(ctx, l.plan.upstream.delay) {
			return
		}
		l.report(Starting, uri, nil)
	}
}

// wait reports whether the time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt connects both ends and brings messages. It gives the URI that was tried.
func (l *link) attempt(ctx context.Context) (uri string, err error) {
	u := l.plan.upstream
	uri = u.uris[0].String()
	far, err := l.set.dialer.DialAny(ctx, u.uris, l.connectionName())
	if err != nil {
		return uri, err
	}
	defer far.End(closeGrace)
	uri = far.URI.String()
	near, err := l.set.dialer.Dial(ctx, peer.Self(l.plan.vhost), l.connectionName())
	if err != nil {
		return uri, fmt.Errorf("here: %w", err)
	}
	defer near.End(closeGrace)
	over := make(chan struct{})
	var work sync.WaitGroup
	defer work.Wait()
	defer close(over)
	work.Go(func() { cut(ctx, over, far, near) })
	e := ends{link: l, far: far, near: near}
	if l.plan.kind == exchangeLink {
		return uri, e.exchange(ctx)
	}
	return uri, e.queue(ctx)
}

// cut ends connections that hang when ctx has ended.
func cut(ctx context.Context, over <-chan struct{}, conns ...*peer.Conn) {
	select {
	case <-ctx.Done():
	case <-over:
		return
	}
	select {
	case <-time.After(cutAfter):
		for _, c := range conns {
			c.Cut()
		}
	case <-over:
	}
}

// ends are the connections of a link: far to the upstream, near to the broker here.
type ends struct {
	*link
	far, near *peer.Conn
}

func (l *link) report(state, uri string, err error) {
	p := l.plan
	s := Status{
		ID: p.id(), Vhost: p.vhost, Type: p.kind, Name: p.name, Far: p.far,
		Upstream: p.key.upstream, ConsumerTag: p.upstream.tag, State: state,
		Since: time.Now(), URI: uri, Connection: l.connectionName(),
	}
	if err != nil {
		s.Error = err.Error()
		l.log.Warn("federation link does not run", "uri", uri, "reason", s.Error)
	}
	if state == Running {
		l.log.Info("federation link runs", "uri", uri)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = s
}

func (l *link) shown() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}
