package sqs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"coffer/internal/aws/gateway"
	"coffer/internal/broker"
)

const (
	// brokerQueue is the name of the one queue of a namespace. It is not the client's: the
	// namespace's rows need to tell nothing.
	brokerQueue = "q"
	// maxInFlight is how many messages of a standard queue may be received and not deleted.
	maxInFlight = 120_000
)

// queue is a queue as requests find it. It is in the service's table from the moment
// its creation is durable to the moment its deletion is.
type queue struct {
	address
	id  uuid.UUID
	row atomic.Pointer[row] // the last durable one

	deleted atomic.Bool
	opening sync.Mutex // held while place or what it rests on is changed
	place   atomic.Pointer[place]
}

// place is where a queue is in the broker.
type place struct {
	sealer    *sealer
	namespace *broker.Namespace
	queue     *broker.Queue
	receiver  *broker.Session // through which all receive

	renewing sync.Mutex // held while a data key is made
	// sends is held while messages are sealed and stored, and alone to seal with another key.
	sends sync.RWMutex

	counts counts

	mu    sync.Mutex
	free  []*sender // that nobody uses; nil once the place is closed
	gone  bool
	aside map[string]*dataKey // [Service.passOver]: one for each KMS key
}

// set lets requests find a queue as it is now.
func (s *Service) set(r *row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[r.address()]
	if q == nil || q.id != r.ID {
		q = &queue{address: r.address(), id: r.ID}
		s.queues[q.address] = q
	}
	s.index(q, q.row.Swap(r), r)
}

// forget ends a queue whose deletion is durable.
func (s *Service) forget(r *row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[r.address()]
	if q == nil || q.id != r.ID {
		return
	}
	delete(s.queues, q.address)
	s.index(q, q.row.Load(), nil)
	q.deleted.Store(true)
	s.closing.Go(func() {
		q.opening.Lock()
		defer q.opening.Unlock()
		if p := q.place.Load(); p != nil {
			if err := p.close(context.Background()); err != nil {
				s.log.Error("close deleted queue", "queue", q.id, "error", err)
			}
		}
	})
}

// answer gives a failure of the broker in SQS's words. At a queue that was deleted
// meanwhile there are many.
func (q *queue) answer(err error) error {
	if err != nil && q.deleted.Load() {
		return noQueue()
	}
	return answer(err)
}

// lookup finds the queue of a URL.
func (s *Service) lookup(ctx context.Context, url string) (*queue, error) {
	a, err := addressOf(gateway.From(ctx), url)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	q := s.queues[a]
	s.mu.RUnlock()
	if q == nil {
		return nil, noQueue()
	}
	return q, nil
}

// data finds the queue of a URL for an operation on messages.
func (s *Service) data(ctx context.Context, url string) (*queue, *place, error) {
	q, err := s.lookup(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	if p := q.place.Load(); p != nil {
		return q, p, nil
	}
	p, err := s.open(q)
	return q, p, err
}

// open brings a queue and its rules to the broker. It has units of work of its own,
// whatever unit its caller is in.
func (s *Service) open(q *queue) (*place, error) {
	ctx := context.Background()
	q.opening.Lock()
	defer q.opening.Unlock()
	r := q.row.Load()
	p, err := s.find(ctx, q, r)
	if err != nil {
		return nil, err
	}
	if r.rules.key == "" {
		p.choose(p.sealer.realm.key(managedKey))
	}
	if limits := s.limits(r); p.queue.Limits() != limits {
		if err := p.namespace.SetLimits(ctx, p.queue, limits); err != nil {
			return nil, fmt.Errorf("limits of queue %s: %w", q.id, err)
		}
	}
	s.goOn(q, p, r)
	return p, nil
}

// find gives the place of a queue, whose opening the caller holds.
func (s *Service) find(ctx context.Context, q *queue, r *row) (*place, error) {
	if p := q.place.Load(); p != nil {
		return p, nil
	}
	p, err := s.newPlace(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", q.id, err)
	}
	q.place.Store(p)
	return p, nil
}

// newPlace opens the namespace of a queue, with the key that the queue seals with.
func (s *Service) newPlace(ctx context.Context, r *row) (*place, error) {
	s.mu.RLock()
	realm := s.realms[r.address().realmName]
	s.mu.RUnlock()
	if realm == nil {
		return nil, errors.New("no data keys")
	}
	d := realm.sealer(keyUse{r.address().arn(), r.rules.key})
	key := d.own.Load()
	key.asked.Do(func() {
		if err := s.ring.Open(ctx, key.domain); err != nil {
			s.log.Warn("a data key cannot be had", "key", key.row().Key, "reason", err.Error())
		}
	})
	ns, err := s.core.OpenNamespace(r.namespace(), d)
	if err != nil {
		d.close()
		return nil, err
	}
	bq, _, err := ns.DeclareQueue(ctx, nil, broker.QueueSpec{
		Name: brokerQueue, Durable: true, Limits: r.rules.limits(),
		Groups: r.rules.fifo, Fair: !r.rules.fifo,
	})
	if err != nil {
		d.close()
		return nil, err
	}
	return &place{
		sealer: d, namespace: ns, queue: bq, receiver: ns.NewSession(broker.SessionConfig{}),
	}, nil
}

// choose seals with another data key from now on. What is being sent goes before, so that
// the parts of a message are sealed with one key.
func (p *place) choose(k *dataKey) {
	if p.sealer.own.Load() == k {
		return
	}
	p.sends.Lock()
	defer p.sends.Unlock()
	p.sealer.choose(k)
}

// limits are the rules that the broker keeps; the others are of requests.
func (r *rules) limits() broker.Limits {
	l := broker.Limits{
		Retention:   broker.AtMost(r.retention.Milliseconds()),
		MaxInFlight: broker.AtMost(maxInFlight),
	}
	if r.fifo {
		l.MaxInFlight = broker.AtMost(maxInFlightFIFO)
		l.Delay, l.Dedup = r.delay.Milliseconds(), dedupWindow.Milliseconds()
	}
	return l
}

// close ends what waits at the place. What is in the broker stays.
func (p *place) close(ctx context.Context) error {
	p.mu.Lock()
	free := p.free
	p.free, p.gone = nil, true
	p.mu.Unlock()
	errs := []error{p.receiver.Close(ctx)}
	for _, s := range free {
		errs = append(errs, s.session.Close(ctx))
	}
	p.sealer.close()
	return errors.Join(errs...)
}
