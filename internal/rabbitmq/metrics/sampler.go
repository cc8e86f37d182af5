package metrics

import (
	"context"
	"strconv"
	"sync"
	"time"

	"coffer/internal/broker"
)

// Kind is a kind of object of which samples are kept.
type Kind uint8

// The kinds.
const (
	WholeBroker Kind = iota
	OfVhost
	OfQueue
	OfExchange
	OfConnection
	OfChannel
)

// Object names one; Vhost is empty for the broker, connections and channels. A channel
// is called as RabbitMQ does: the name of its connection, a space, and its number in
// parentheses.
type Object struct {
	Kind        Kind
	Vhost, Name string
}

// Defaults of SamplerConfig.
const (
	defaultInterval = 5 * time.Second
	defaultBudget   = 32 << 20
	maxDepth        = 720 // samples of one object: an hour
	minDepth        = 2
	longDepth       = 17_280 // of the broker and virtual hosts: a day
)

// SamplerConfig tunes a Sampler; zero fields get the default named.
type SamplerConfig struct {
	Interval time.Duration // between samples, in whole milliseconds; 5 s, as RabbitMQ's
	// Budget bounds the memory of samples, in bytes; 32 MiB. With very many busy
	// objects, the time that each is remembered for becomes shorter.
	Budget int64
}

// Sampler keeps samples of what a broker counts and holds. It is safe for concurrent
// use.
type Sampler struct {
	broker Broker
	doors  Doors
	cfg    SamplerConfig

	mu     sync.Mutex
	ledger ledger
	round  uint64
	depth  int // of most objects
	tracks map[Object]*track
	width  int64 // of all samples of a round
}

// NewSampler makes a Sampler without samples.
func NewSampler(b Broker, d Doors, cfg SamplerConfig) *Sampler {
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	if cfg.Budget <= 0 {
		cfg.Budget = defaultBudget
	}
	return &Sampler{broker: b, doors: d, cfg: cfg, depth: maxDepth, tracks: map[Object]*track{}}
}

// Run takes samples until ctx ends.
func (s *Sampler) Run(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.Interval)
	defer ticker.Stop()
	for {
		s.Sample(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sample takes one sample of everything there is, and forgets what is gone. Time must
// not go backwards; a sample at the time of the one before it, or earlier, is not taken.
func (s *Sampler) Sample(now time.Time) {
	at := now.UnixMilli()
	protocols, connections := s.doors.Protocols(), s.doors.Connections()
	s.mu.Lock()
	defer s.mu.Unlock()
	if whole := s.tracks[Object{}]; whole != nil && whole.last >= at {
		return
	}
	s.round++
	s.width = 0
	var total lengths
	for i := range connections {
		s.addConnection(at, &connections[i])
	}
	var all []*broker.Namespace
	for _, v := range s.broker.Vhosts() {
		if n, ok := s.broker.Namespace(v.Name); ok {
			all = append(all, n)
			total.add(s.addVhost(at, v.Name, n))
		}
	}
	sums := s.ledger.sum(all)
	s.addWhole(at, protocols, &sums, total)
	s.forget()
}

// forget drops what was not seen in this round, and fits the rest into the budget.
func (s *Sampler) forget() {
	for o, k := range s.tracks {
		if k.round != s.round {
			delete(s.tracks, o)
		}
	}
	const number = 8 // bytes
	s.depth = int(min(max(s.cfg.Budget/max(s.width*number, 1)*4/5, minDepth), maxDepth))
}

// put adds a sample of an object.
func (s *Sampler) put(at int64, o Object, sample ...int64) {
	k := s.tracks[o]
	if k == nil {
		k = &track{width: len(sample)}
		s.tracks[o] = k
	}
	depth := s.depth
	if o.Kind <= OfVhost {
		depth = max(depth, min(longDepth, longBudget/len(s.tracks)))
	} else {
		s.width += int64(len(sample) + 1)
	}
	k.round = s.round
	k.add(at, sample, depth)
}

// longBudget bounds the samples of all virtual hosts, as a number.
const longBudget = 1 << 20

// lengths are messages in queues.
type lengths struct{ ready, unacked int64 }

func (l *lengths) add(o lengths) {
	l.ready += o.ready
	l.unacked += o.unacked
}

func (s *Sampler) addConnection(at int64, c *Connection) {
	o := Object{Kind: OfConnection, Name: c.Name}
	s.put(at, o, int64(c.ReceivedBytes), int64(c.SentBytes))
	for i := range c.Channels {
		ch := &c.Channels[i]
		o := Object{Kind: OfChannel, Name: c.Name + " (" + strconv.Itoa(int(ch.Number)) + ")"}
		s.put(at, o, ch.Counts.figures()...)
	}
}

func (s *Sampler) addVhost(at int64, name string, n *broker.Namespace) (sum lengths) {
	topology := n.Topology()
	topology.Queues(func(q *broker.Queue) bool {
		x := q.Stats()
		o := Object{OfQueue, name, q.Spec().Name}
		s.put(at, o, queueFigures(&x)...)
		sum.add(lengths{x.Ready, x.Unacked})
		return true
	})
	topology.Addresses(func(a broker.Address) bool {
		in, out := a.Counts.Load()
		s.put(at, Object{OfExchange, name, a.Name}, in, out)
		return true
	})
	in, out := n.DefaultCounts().Load()
	s.put(at, Object{OfExchange, name, ""}, in, out)
	stats := n.Stats()
	both := stats.Sums[0]
	both.Add(&stats.Sums[1])
	both.Ready, both.Unacked = sum.ready, sum.unacked
	s.put(at, Object{Kind: OfVhost, Vhost: name}, queueFigures(&both)...)
	return sum
}

func (s *Sampler) addWhole(
	at int64, protocols []Protocol, sums *broker.NamespaceStats, l lengths,
) {
	var p Protocol
	for i := range protocols {
		p.add(&protocols[i])
	}
	sample := append(p.Counts.figures(), l.ready+l.unacked, l.ready, l.unacked,
		int64(p.ConnectionsOpened), int64(p.ConnectionsClosed), int64(p.ChannelsOpened),
		int64(p.ChannelsClosed), int64(p.QueuesDeclared), sums.QueuesCreated,
		sums.QueuesDeleted)
	s.put(at, Object{}, sample...)
}

// Stats are the latest figures of an object and their rates, in the order of Figures
// of its kind.
type Stats struct {
	Values []int64
	Rates  []float64 // changes in a second
}

// Stats gives the latest figures of an object; ok is false when there is no sample.
func (s *Sampler) Stats(o Object) (stats Stats, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.tracks[o]
	if k == nil || len(k.times) == 0 {
		return Stats{}, false
	}
	now := k.row(len(k.times) - 1)
	stats = Stats{append([]int64(nil), now...), make([]float64, k.width)}
	for i := range stats.Rates {
		stats.Rates[i] = k.rate(i)
	}
	return stats, true
}

// Rate gives the change of one figure in a second, between the last two samples; ok is
// false when there is no such object or figure.
func (s *Sampler) Rate(o Object, figure string) (rate float64, ok bool) {
	i := indexOf(o.Kind, figure)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.tracks[o]
	if k == nil || i < 0 || i >= k.width {
		return 0, false
	}
	return k.rate(i), true
}

// History gives samples of one figure that lie step apart, as far back as age but no
// more than 4096 of them. Step is at least the interval; ok is false when there is no
// such object or figure.
func (s *Sampler) History(o Object, figure string, age, step time.Duration) (h History, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, i := s.tracks[o], indexOf(o.Kind, figure)
	if k == nil || i < 0 || i >= k.width {
		return History{}, false
	}
	apart := max(step.Milliseconds(), s.interval())
	return k.history(i, max(age.Milliseconds(), 0), apart), true
}

// Capacity gives the part of the last interval in which a queue could have delivered a
// message at once, from 0 to 1.
func (s *Sampler) Capacity(vhost, queue string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.tracks[Object{OfQueue, vhost, queue}]
	if k == nil {
		return 0
	}
	part := k.rate(queueAble) / 1000
	return min(max(part, 0), 1)
}

func (s *Sampler) interval() int64 { return max(s.cfg.Interval.Milliseconds(), 1) }
