package bench

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/fault"
	"coffer/internal/protocol/amqp091/wire"
)

// against runs a load on a broker with faults. The numbers do not depend on the time.
func against(t *testing.T, f faults, cfg Config) (*Result, error) {
	t.Helper()
	s, err := newSink(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	cfg.Target = amqpclient.Config{URL: "amqp://u:secret@" + s.address() + "/%2f"}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("it hangs"))
	defer cancel()
	r, err := Run(ctx, cfg)
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells the password: %v", err)
	}
	return r, err
}

// TestShapes runs every shape on a broker that does nothing wrong.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg    Config
		copies int64
	}{
		"one":              {Config{Consumers: 1, Window: 1}, 1},
		"four on four":     {Config{Publishers: 4, Consumers: 4, Queues: 4}, 1},
		"four on one":      {Config{Publishers: 4, Consumers: 4}, 1},
		"many queues":      {Config{Publishers: 2, Consumers: 3, Queues: 10}, 1},
		"fan-out":          {Config{Publishers: 2, Consumers: 2, Queues: 10, Fanout: true}, 10},
		"several frames":   {Config{Consumers: 1, Size: 300_000, Window: 4}, 1},
		"least size":       {Config{Consumers: 1, Size: MinSize, Transient: true}, 1},
		"at a rate":        {Config{Publishers: 3, Consumers: 2, Queues: 2, Rate: 20_000}, 1},
		"nobody consumes":  {Config{Publishers: 2}, 0},
		"many connections": {Config{Publishers: 70, Consumers: 70, Queues: 7, Window: 3}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Preload = 1000
			r, err := against(t, faults{}, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			a := r.Messages
			if a.Sent != 1000 || a.Received != a.Sent*c.copies || a.Refused != 0 || !a.Whole() {
				t.Errorf("got %+v", a)
			}
			if r.Confirm.Count != a.Sent || r.EndToEnd.Count != a.Received || r.Broker != "sink" {
				t.Errorf("%s: %+v, %+v", r.Broker, r.Confirm, r.EndToEnd)
			}
			if r.Load != nil || r.Fill.Confirmed == 0 || (r.Drain == nil) != (c.copies == 0) {
				t.Errorf("phases %+v %+v %+v", r.Fill, r.Load, r.Drain)
			}
		})
	}
}

// TestLoad measures for a time, after a warm-up, with messages waiting.
func TestLoad(t *testing.T) {
	t.Parallel()
	r, err := against(t, faults{}, Config{
		Publishers: 2, Consumers: 2, Queues: 2, Rate: 5000, Preload: 500,
		Warmup: 50 * time.Millisecond, Duration: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, l := r.Messages, r.Load
	if !a.Whole() || a.Received != a.Sent || l.Seconds < .3 || l.Published == 0 || r.Drain != nil {
		t.Errorf("got %+v in %+v", a, l)
	}
	// What came before the measurement is in no latency, what was due in it in both.
	if n := r.Confirm.Count; n == 0 || n > a.Sent-500 || n != r.EndToEnd.Count {
		t.Errorf("%d confirms and %d deliveries were measured of %d", n, r.EndToEnd.Count, a.Sent)
	}
}

// TestStall: what is due while the broker stalls is late, though the window keeps it from
// being sent.
func TestStall(t *testing.T) {
	t.Parallel()
	const stall = 400 * time.Millisecond
	var stalled atomic.Bool
	r, err := against(t, faults{method: func(_ uint16, m wire.Method) (wire.Method, bool) {
		if m.ID() == wire.IDBasicAck && stalled.CompareAndSwap(false, true) {
			<-time.After(stall)
		}
		return nil, false
	}}, Config{Rate: 1000, Window: 1, Duration: 2 * stall})
	if err != nil {
		t.Fatal(err)
	}
	// A tenth of what is due in the time waits for more than three quarters of the stall.
	if late := float64((stall / 2).Microseconds()); r.Confirm.P90 < late {
		t.Errorf("a tenth is later than %.0f µs, want %.0f", r.Confirm.P90, late)
	}
}

// TestFaultsAreCounted: a broker that loses, repeats or turns messages is found out.
func TestFaultsAreCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deliver func(n int) (times int, later bool)
		want    Account
	}{
		"lost": {
			func(n int) (int, bool) { return 1 - min(1, n%100/99), false },
			Account{Sent: 1000, Received: 990, Lost: 10},
		},
		"twice": {
			func(n int) (int, bool) { return 1 + n%100/99, false },
			Account{Sent: 1000, Received: 1000, Twice: 10},
		},
		"turned": {
			func(n int) (int, bool) { return 1, n%100 == 50 },
			Account{Sent: 1000, Received: 1000, Misordered: 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := against(t, faults{deliver: c.deliver}, Config{
				Consumers: 1, Preload: 1000, Patience: time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages != c.want || r.Messages.Whole() {
				t.Errorf("got %+v, want %+v", r.Messages, c.want)
			}
		})
	}
}

// TestRefusedPublishes: what the broker nacks is no loss, though nobody gets it.
func TestRefusedPublishes(t *testing.T) {
	t.Parallel()
	var nacked atomic.Uint64
	r, err := against(t, faults{
		method: func(_ uint16, m wire.Method) (wire.Method, bool) {
			ack, is := m.(*wire.BasicAck) // what it is about to confirm
			if !is || ack.DeliveryTag < 100 || !nacked.CompareAndSwap(0, ack.DeliveryTag) {
				return nil, false
			}
			return &wire.BasicNack{DeliveryTag: ack.DeliveryTag}, true
		},
		deliver: func(n int) (times int, later bool) {
			if uint64(n+1) == nacked.Load() {
				return 0, false
			}
			return 1, false
		},
	}, Config{Preload: 1000, Window: 7, Consumers: 1, Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	want := Account{Sent: 1000, Refused: 1, Received: 999}
	if r.Messages != want || !r.Messages.Whole() {
		t.Errorf("got %+v, want %+v", r.Messages, want)
	}
}

// TestRefusals: what a broker refuses ends the run, and says why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	on := func(id wire.MethodID, answer wire.Method) faults {
		return faults{method: func(_ uint16, m wire.Method) (wire.Method, bool) {
			return answer, m.ID() == id
		}}
	}
	load := Config{Consumers: 1, Preload: 1000}
	impatient := load
	impatient.Patience = time.Second
	for name, c := range map[string]struct {
		faults faults
		cfg    Config
		text   string
	}{
		"login": {on(wire.IDConnectionStartOk, &wire.ConnectionClose{
			ReplyCode: wire.AccessRefused, ReplyText: "ACCESS_REFUSED"}), load,
			"log in to 127.0.0.1"},
		"other arguments": {on(wire.IDQueueDeclare, &wire.ChannelClose{
			ReplyCode: wire.PreconditionFailed, ReplyText: "PRECONDITION_FAILED - arg"}), load,
			"prepare the queues: channel 1 was closed: 406 PRECONDITION_FAILED"},
		"messages there": {on(wire.IDQueueDeclare, &wire.QueueDeclareOk{MessageCount: 1}), load,
			"is in use"},
		"consumer there": {on(wire.IDQueueDeclare, &wire.QueueDeclareOk{ConsumerCount: 1}), load,
			"is in use"},
		"cut": {faults{cut: 300}, load, "publisher 0: "},
		"no confirm": {on(wire.IDBasicAck, nil), impatient,
			"nothing happened for 1s: 256 of 256 publishes are not confirmed"},
		"wrong confirm": {on(wire.IDBasicAck, &wire.BasicAck{DeliveryTag: 1 << 40}), load,
			"publisher 0: the broker confirmed publish 1099511627776"},
		"closed channel": {on(wire.IDBasicConsume, &wire.ChannelClose{
			ReplyCode: wire.AccessRefused, ReplyText: "ACCESS_REFUSED - no"}), load,
			"consumer 0: channel 1 was closed: 403"},
		"cancelled": {on(wire.IDBasicConsume, &wire.BasicCancel{ConsumerTag: "0"}), load,
			"consumer 0: the broker cancelled the consumer of queue 0"},
		"not asked for": {on(wire.IDBasicConsume, &wire.QueuePurgeOk{}), load,
			"consumer 0: got queue.purge-ok"},
		"no goodbye": {on(wire.IDConnectionClose, nil), impatient, "close of a connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := against(t, c.faults, c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %q", err, c.text)
			}
		})
	}
}

// TestBlocked: an alarm of the broker is told.
func TestBlocked(t *testing.T) {
	t.Parallel()
	blocked := func(channel uint16, m wire.Method) (wire.Method, bool) {
		if m.ID() != wire.IDBasicAck {
			return nil, false
		}
		return &wire.ConnectionBlocked{Reason: "low on disk"}, true
	}
	_, err := against(t, faults{method: blocked}, Config{
		Preload: 10, Patience: time.Second,
	})
	if err == nil || !strings.Contains(err.Error(), `blocks publishers: "low on disk"`) {
		t.Errorf("got %v", err)
	}
}

// TestInterrupted: a run that somebody ends says so, and leaves no queue and no exchange.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var mu sync.Mutex
	declared, deleted := map[string]bool{}, map[string]bool{}
	s, err := newSink(nil, faults{method: func(_ uint16, m wire.Method) (wire.Method, bool) {
		mu.Lock()
		defer mu.Unlock()
		switch m := m.(type) {
		case *wire.QueueDeclare:
			declared[m.Queue] = true
		case *wire.ExchangeDeclare:
			declared[m.Exchange] = true
		case *wire.QueueDelete:
			deleted[m.Queue] = true
		case *wire.ExchangeDelete:
			deleted[m.Exchange] = true
		case *wire.BasicAck: // the load runs
			cancel(why)
		}
		return nil, false
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	_, err = Run(ctx, Config{
		Target:     amqpclient.Config{URL: "amqp://u:p@" + s.address()},
		Publishers: 2, Consumers: 2, Queues: 150, Fanout: true, Duration: time.Hour,
	})
	if !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if len(declared) != 151 || !maps.Equal(declared, deleted) {
		t.Errorf("%d were declared, %d deleted", len(declared), len(deleted))
	}
}

// TestPublishesTakeNoMemory: many allocate hardly more than few.
func TestPublishesTakeNoMemory(t *testing.T) {
	allocated := func(messages int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := against(t, faults{forget: true}, Config{Preload: messages})
		if err != nil || r.Messages.Sent != messages {
			t.Fatalf("got %+v, %v", r, err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	const few, many = 1000, 51_000
	short, long := allocated(few), allocated(many)
	if each := (float64(long) - float64(short)) / (many - few); each > .2 {
		t.Errorf("%d take %d allocations, %d take %d: %.2f each", few, short, many, long, each)
	}
}

// TestDeliveriesTakeNoMemory: what is known of a message fits where it is.
func TestDeliveriesTakeNoMemory(t *testing.T) {
	r := &run{cfg: Config{AckEvery: 1 << 30}, gauge: gauge{
		plan: plan{1, 2, false}, meters: newMeters(1),
	}}
	c := &consumer{r: r, books: map[int]*book{}}
	for q := range 2 {
		c.books[q] = newBook(&r.plan, 0, q)
		c.books[q].tracks[0].seen = make(bitmap, 1000)
	}
	m, body := &wire.BasicDeliver{ConsumerTag: []byte("1")}, make([]byte, MinSize)
	var seq uint64
	n := testing.AllocsPerRun(10_000, func() {
		s := stamp{lane: 1, seq: seq}
		s.put(body)
		seq++
		if err := c.take(r.meters.of(0), m, body); err != nil {
			t.Fatal(err)
		}
	})
	if b := c.books[1]; n != 0 || b.Received != int64(seq) || !b.Whole() {
		t.Errorf("%v allocations each of %d; %+v", n, seq, b.Account)
	}
}

// TestWrongConfig is refused before anything is connected.
func TestWrongConfig(t *testing.T) {
	t.Parallel()
	for text, cfg := range map[string]Config{
		"size: 23 is not from 24 to":      {Size: 23, Preload: 1},
		"publishers: -1 is not":           {Publishers: -1, Preload: 1},
		"ack-every: 3 is not from 1 to 2": {Prefetch: 2, AckEvery: 3, Preload: 1},
		"neither a duration nor":          {},
		"duration: -1s is not from 0s to": {Duration: -time.Second},
		"rate: -1 is not":                 {Rate: -1, Preload: 1},
	} {
		_, err := Run(t.Context(), cfg)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
}

// TestWrongURL is refused without quoting it.
func TestWrongURL(t *testing.T) {
	t.Parallel()
	for url, text := range map[string]string{
		"":                                 "neither amqps://HOST nor amqp://HOST",
		"http://u:secret@localhost":        "neither amqps://HOST nor amqp://HOST",
		"amqp://localhost":                 "names no user",
		"amqp://u:secret@localhost:no":     "malformed",
		"amqp://u:secret@127.0.0.1:1/%2f":  "refused",
		"amqps://u:secret@127.0.0.1:1/%2f": "refused",
	} {
		_, err := Run(t.Context(), Config{Target: amqpclient.Config{URL: url}, Preload: 1})
		if err == nil || !strings.Contains(err.Error(), text) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", url, err, text)
		}
	}
}
