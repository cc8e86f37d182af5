package soak

import (
	"context"
	"sync"
	"sync/atomic"

	"coffer/internal/amqpclient"
)

// fault is something that the harness does wrong itself, to show that it is found.
type fault string

const (
	drop     fault = "drop"     // a delivery is acked and not noted: a message is lost
	double   fault = "double"   // a delivery is noted twice
	leak     fault = "leak"     // connections are left open
	tell     fault = "tell"     // a secret is written into the log
	backward fault = "backward" // a counter is read as less than it was
	stranger fault = "stranger" // a client meets an error that nothing explains
)

// strikeAt is which chance a fault of a message takes, once no process ends any more: one
// that does would take an ack back, and so the fault.
const strikeAt = 50

// faults are those of a run.
type faults struct {
	list    map[fault]bool
	chances map[fault]*atomic.Int64
	quiet   atomic.Bool

	mu     sync.Mutex
	leaked []*amqpclient.Conn
}

func newFaults(list []fault) *faults {
	f := &faults{list: map[fault]bool{}, chances: map[fault]*atomic.Int64{}}
	for _, name := range list {
		f.list[name], f.chances[name] = true, &atomic.Int64{}
	}
	return f
}

// strikes reports whether a fault happens at this chance, which is once.
func (f *faults) strikes(name fault) bool {
	return f.list[name] && f.quiet.Load() && f.chances[name].Add(1) == strikeAt
}

// leakConnections leaves connections open, if that is a fault of the run, while no process
// ends: one that does would wait for them to answer.
func (r *run) leakConnections(ctx context.Context, to amqpclient.Config) error {
	if !r.faults.list[leak] || !r.faults.quiet.Load() {
		return nil
	}
	to.ReadBuffer = 4 << 10
	for range churning {
		c, err := dialLean(ctx, to)
		if err != nil {
			return err
		}
		r.faults.mu.Lock()
		r.faults.leaked = append(r.faults.leaked, c)
		r.faults.mu.Unlock()
	}
	return nil
}

// close ends what was left open, before a process would wait for it.
func (f *faults) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.leaked {
		c.Close()
	}
	f.leaked = nil
}
