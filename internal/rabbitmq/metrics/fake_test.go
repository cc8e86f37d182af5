package metrics

import (
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/broker/brokertest"
	"coffer/internal/rabbitmq"
	"coffer/internal/store/memory"
)

// stage is a broker with one virtual host over a real queue core, and doors that say
// what a test wants.
type stage struct {
	t     testing.TB
	world *brokertest.World
	names []string // of virtual hosts; all are the same

	connections []Connection
	protocols   []Protocol
	node        Node
}

func newStage(t testing.TB) *stage {
	t.Helper()
	engine := memory.New(memory.Config{Shards: 3})
	w := brokertest.Start(t, engine, brokertest.NewDomain(), broker.Config{})
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return &stage{
		t: t, world: w, names: []string{"/"},
		node: Node{
			Name: "rabbit@here", Cluster: "b-1", ClusterID: "id", Version: "4.1.0",
			Runtime: "go1.26", Product: "Coffer", Build: "0.1", Started: time.Unix(1000, 0),
			OpenFiles: 7, MaxFiles: 1024, OpenSockets: 3, MaxSockets: 1000, Memory: 1 << 20,
			MemoryLimit: 1 << 30, DiskFree: 5 << 30, DiskLimit: 1 << 30, Goroutines: 40,
			GCRuns: 2, GCFreed: 4096,
		},
	}
}

func (s *stage) Vhosts() (list []rabbitmq.Vhost) {
	for _, name := range s.names {
		list = append(list, rabbitmq.Vhost{Name: name})
	}
	return list
}

func (s *stage) Namespace(string) (*broker.Namespace, bool) { return s.world.Namespace, true }

func (s *stage) Connections() []Connection { return s.connections }
func (s *stage) Protocols() []Protocol     { return s.protocols }

var (
	_ Broker = (*stage)(nil)
	_ Broker = (*rabbitmq.Broker)(nil)
	_ Doors  = (*stage)(nil)
)

// handler shows the stage at a time.
func (s *stage) handler() *Handler {
	return New(s, s, Config{
		Now:  func() time.Time { return time.Unix(1060, 0) },
		Node: func() Node { return s.node },
	})
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// queue makes a durable queue.
func (s *stage) queue(name string, change func(*broker.QueueSpec)) *broker.Queue {
	s.t.Helper()
	spec := broker.QueueSpec{Name: name, Durable: true}
	if change != nil {
		change(&spec)
	}
	q, _, err := s.world.Namespace.DeclareQueue(s.t.Context(), nil, spec)
	s.must(err)
	return q
}
