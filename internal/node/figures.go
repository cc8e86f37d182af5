package node

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/management"
	"coffer/internal/rabbitmq/metrics"
)

// figures is what is shown to Prometheus of one broker, and its samples for rates.
type figures struct {
	http.Handler
	samples *metrics.Sampler
}

// rabbitVersion is RabbitMQ's that is followed.
const rabbitVersion = "4.1.0"

// newFigures makes them.
func (f *fleet) newFigures(id uuid.UUID, b *rabbitmq.Broker, s *amqpDoors) *figures {
	doors := measured{s}
	samples := metrics.NewSampler(b, doors, metrics.SamplerConfig{})
	return &figures{metrics.New(b, doors, metrics.Config{
		Capacity: samples.Capacity,
		Node:     func() metrics.Node { return f.n.measure(id) },
	}), samples}
}

// sampleInterval is RabbitMQ's collect_statistics_interval.
const sampleInterval = 5 * time.Second

// sample takes samples of all brokers until the process stops.
func (f *fleet) sample() {
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	for {
		for _, x := range f.allFigures() {
			x.samples.Sample(time.Now())
		}
		select {
		case <-f.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (f *fleet) allFigures() (list []*figures) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.brokers {
		if b.visits != nil && b.figures != nil {
			list = append(list, b.figures)
		}
	}
	return list
}

// scrape answers what comes by the loopback port for metrics: /rabbitmq/metrics and so
// on of the broker with the standard ports, /rabbitmq/<id>/metrics of any.
func (f *fleet) scrape(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(r.URL.Path, "/rabbitmq/")
	first, _, _ := strings.Cut(rest, "/")
	id, err := uuid.Parse(strings.TrimPrefix(first, "b-"))
	f.mu.Lock()
	b := f.brokers[id]
	if err != nil && first == "metrics" {
		b = f.standard()
	}
	var shown *figures
	if b != nil && b.visits != nil {
		shown = b.figures
	}
	f.mu.Unlock()
	if shown == nil {
		http.NotFound(w, r)
		return
	}
	shown.ServeHTTP(w, r)
}

// measured is what a broker's doors count.
type measured struct{ doors *amqpDoors }

var _ metrics.Doors = measured{}

// Connections is [metrics.Doors]'s.
func (m measured) Connections() []metrics.Connection {
	all, all10 := m.doors.old.Connections(), m.doors.new.Connections()
	list := make([]metrics.Connection, 0, len(all)+len(all10))
	for i := range all {
		c := &all[i]
		shown := metrics.Connection{
			Name: c.Name, Vhost: c.VHost, Protocol: "amqp091",
			ReceivedBytes: c.Received.Octets, SentBytes: c.Sent.Octets,
			ReceivedPackets: c.Received.Calls, SentPackets: c.Sent.Calls,
			PendingBytes: c.SendPending,
		}
		for _, ch := range c.Channels {
			shown.Channels = append(shown.Channels, metrics.Channel{
				Number: ch.Number, Consumers: len(ch.Consumers), Prefetch: ch.Prefetch,
				GlobalPrefetch: ch.GlobalPrefetch, Unacked: ch.Unacked,
				Unconfirmed: ch.Unconfirmed, Uncommitted: ch.Uncommitted,
				AcksUncommitted: ch.AcksUncommitted, Counts: metrics.Counts(ch.Counts),
			})
		}
		list = append(list, shown)
	}
	for i := range all10 {
		c := &all10[i]
		list = append(list, metrics.Connection{
			Name: c.Name, Vhost: c.VHost, Protocol: "amqp10", Senders: c.Senders,
			Receivers: c.Receivers, ReceivedBytes: c.Received.Octets,
			SentBytes: c.Sent.Octets, ReceivedPackets: c.Received.Calls,
			SentPackets: c.Sent.Calls, PendingBytes: c.SendPending,
		})
	}
	return list
}

// Protocols is [metrics.Doors]'s.
func (m measured) Protocols() []metrics.Protocol {
	t, u := m.doors.old.Totals(), m.doors.new.Totals()
	return []metrics.Protocol{{
		Name: "amqp091", Counts: metrics.Counts(t.Messages), PublishConfirm: t.PublishConfirm,
		ConnectionsOpened: t.ConnectionsOpened, ConnectionsClosed: t.ConnectionsClosed,
		ChannelsOpened: t.ChannelsOpened, ChannelsClosed: t.ChannelsClosed,
		QueuesDeclared: t.QueuesDeclared, LoginsAccepted: t.LoginsAccepted,
		LoginsRefused: t.LoginsRefused,
	}, {
		Name: "amqp10", PublishConfirm: u.Unsettled, Counts: metrics.Counts{
			Publish: u.Published, Confirm: u.Told, ReturnUnroutable: u.Unroutable,
			Deliver: u.Delivered,
		},
		ConnectionsOpened: u.ConnectionsOpened, ConnectionsClosed: u.ConnectionsClosed,
		LoginsAccepted: u.LoginsAccepted, LoginsRefused: u.LoginsRefused,
	}}
}

// measure tells what is shown of the process. What the system does not tell is 0.
func (n *Node) measure(id uuid.UUID) metrics.Node {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	stats := n.engine.Stats()
	name := "b-" + id.String()
	open, most := descriptors()
	return metrics.Node{
		Name: "coffer@" + n.cfg.Hostname, Cluster: name, ClusterID: name,
		Version: rabbitVersion, Runtime: runtime.Version(), Product: "Coffer",
		Build: n.cfg.Version, Started: n.started, OpenFiles: open, MaxFiles: most,
		OpenSockets: n.visitors(), MaxSockets: most, Memory: residentMemory(),
		MemoryLimit: machineMemory(), DiskFree: int64(stats.FreeBytes),
		DiskLimit: int64(stats.LowWaterBytes), Full: n.engine.Room() != nil,
		Goroutines: int64(runtime.NumGoroutine()), GCRuns: int64(m.NumGC),
		GCFreed: int64(m.TotalAlloc - m.HeapAlloc),
	}
}

// visitors is the number of connections of clients of all brokers.
func (n *Node) visitors() (sum int64) {
	n.fleet.mu.Lock()
	defer n.fleet.mu.Unlock()
	for _, b := range n.fleet.brokers {
		if b.visits != nil {
			sum += b.visits.count()
		}
	}
	return sum
}

// count is how many connections there are.
func (v *visits) count() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return int64(len(v.conns))
}

// sampled fits a broker's samples to what its management API asks for.
type sampled struct{ samples *metrics.Sampler }

var _ management.Samples = sampled{}

// Rate is [management.Samples]'s.
func (s sampled) Rate(of management.Sampled, figure string) (float64, bool) {
	o, ok := objectOf(of)
	if !ok || routed(of, figure) {
		return 0, false
	}
	return s.samples.Rate(o, figure)
}

// History is [management.Samples]'s.
func (s sampled) History(of management.Sampled, figure string, age, step time.Duration) (
	management.History, bool,
) {
	o, ok := objectOf(of)
	if !ok || routed(of, figure) {
		return management.History{}, false
	}
	h, ok := s.samples.History(o, figure, age, step)
	if !ok {
		return management.History{}, false
	}
	shown := management.History{AvgRate: h.AvgRate, Avg: h.Avg}
	for _, p := range h.Samples {
		shown.Samples = append(shown.Samples,
			management.Sample{Sample: p.Value, Timestamp: p.Time.UnixMilli()})
	}
	return shown, true
}

// routed reports whether the samples count something else by that name: what came to
// the queues of a virtual host, while its management counts what was published.
func routed(of management.Sampled, figure string) bool {
	return of.Kind == "vhost" && figure == "publish"
}

func objectOf(of management.Sampled) (metrics.Object, bool) {
	kind, ok := map[string]metrics.Kind{
		"overview": metrics.WholeBroker, "vhost": metrics.OfVhost, "queue": metrics.OfQueue,
		"exchange": metrics.OfExchange, "connection": metrics.OfConnection,
		"channel": metrics.OfChannel,
	}[of.Kind]
	return metrics.Object{Kind: kind, Vhost: of.Vhost, Name: of.Name}, ok
}
