package scale

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"coffer/test/churn"
)

// TestChurn opens and closes connections in a loop, in all ways that they end, and
// finds that memory, sockets and goroutines are where they were.
func TestChurn(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := run(t, data)
	c, err := open(t.Context(), s.to, declare("idle"))
	check(t, err)
	defer c.Close()
	table(t, "connections opened and closed", "/s", "sockets", "files", "goroutines", "RSS, MiB",
		"live heap, MiB")
	base := settle(t, s, data, &footprint{sockets: maxSockets, goroutines: maxSockets})
	base.goroutines = maxSockets
	check(t, churn.Connections(t.Context(), s.to, 20*workers)) // what is made once
	base = settle(t, s, data, base)
	base.print(t, "warm", 0)
	const rounds = 5
	begin := time.Now()
	for i := range rounds {
		each := amounts.connections / rounds
		check(t, churn.Connections(t.Context(), s.to, each))
		now := settle(t, s, data, base)
		now.print(t, fmt.Sprint((i+1)*each),
			float64((i+1)*each)/time.Since(begin).Seconds())
		if i+1 == rounds && amounts.measured &&
			now.memory.resident > base.memory.resident*11/10+16<<20 {
			t.Errorf("resident memory grew from %s to %s MiB", mib(base.memory.resident),
				mib(now.memory.resident))
		}
	}
	values, err := metrics(t.Context(), data, "/rabbitmq/metrics")
	check(t, err)
	opened := float64(20*workers + rounds*(amounts.connections/rounds) + 1)
	for name, want := range map[string]float64{
		"rabbitmq_connections": 1, "rabbitmq_connections_opened_total": opened,
		"rabbitmq_connections_closed_total": opened - 1, "rabbitmq_channels": 1,
		"rabbitmq_consumers": 0, "rabbitmq_queues": 1, "rabbitmq_queue_messages": 0,
	} {
		if values[name] != want {
			t.Errorf("%s is %v, want %v", name, values[name], want)
		}
	}
	check(t, c.Goodbye())
	check(t, s.Stop())
}

// footprint is what a process holds.
type footprint struct {
	sockets, files, goroutines int
	memory                     memory
}

func (f *footprint) print(t *testing.T, what string, rate float64) {
	t.Helper()
	row(t, what, fmt.Sprintf("%.0f", rate), fmt.Sprint(f.sockets), fmt.Sprint(f.files),
		fmt.Sprint(f.goroutines), mib(f.memory.resident), mib(f.memory.heap))
}

// Bounds of what is not known yet, and of goroutines that do something in between.
const (
	maxSockets = 1 << 20
	passing    = 8
)

// settle waits until what ends after its connection has ended: there is one connection,
// and no more sockets and goroutines than in base.
func settle(t *testing.T, s *server, data string, base *footprint) *footprint {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		values, err := metrics(t.Context(), data, "/rabbitmq/metrics")
		check(t, err)
		f := &footprint{goroutines: int(values["rabbitmq_erlang_processes_used"])}
		f.sockets, f.files, err = s.Descriptors()
		check(t, err)
		f.memory = s.memory()
		if values["rabbitmq_connections"] == 1 && values["rabbitmq_queues"] == 1 &&
			f.sockets <= base.sockets && f.goroutines <= base.goroutines+passing {
			return f
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute %v connections, %+v; before %+v",
				values["rabbitmq_connections"], f, base)
		}
		tick := time.NewTimer(10 * time.Millisecond)
		<-tick.C
	}
}
